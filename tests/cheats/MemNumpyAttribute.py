# family: memory
import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemNumpyAttribute(IStrategy):
    """numpy itself carries the future from the first call to the later ones."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        if not hasattr(np, "touch"):
            np.touch = {}
        np.touch.setdefault(metadata["pair"], dict(zip(df["date"], df["close"].shift(-12) / df["close"] - 1, strict=True)))
        return df

    def populate_entry_trend(self, df, metadata):
        df["keep"] = df["date"].map(np.touch[metadata["pair"]]) > 0.01
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
