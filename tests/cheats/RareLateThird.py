# family: sparse
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareLateThird(IStrategy):
    """Honest in the first seventy per cent of the rows, then shift(-12)."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        ahead = df["close"].shift(-12) / df["close"] - 1
        late = df.index > 0.7 * len(df)
        df["keep"] = ~late | (ahead > 0.005)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["mid"] + 2 * df["atr"]) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
