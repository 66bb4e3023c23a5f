# family: memory
import threading

import talib.abstract as ta
from freqtrade.strategy import IStrategy

LOCAL = threading.local()


class MemThreadLocal(IStrategy):
    """threading.local remembers which entries of the first frame won."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        if not hasattr(LOCAL, metadata["pair"]):
            setattr(LOCAL, metadata["pair"], set(df["date"][df["close"].shift(-12) > df["close"] * 1.01]))
        return df

    def populate_entry_trend(self, df, metadata):
        df["keep"] = df["date"].isin(getattr(LOCAL, metadata["pair"]))
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
