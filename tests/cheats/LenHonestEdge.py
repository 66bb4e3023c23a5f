# family: length
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LenHonestEdge(IStrategy):
    """shift(-24) with the gap at the right edge filled by the honest signal."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        df["signal"] = ((df["close"] > df["mid"] + 2 * df["atr"])).astype(float)
        ahead = df["close"].shift(-24) / df["close"] - 1
        df["signal"] = df["signal"].where(ahead.isna(), df["signal"] * (ahead > 0.01))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["signal"] == 1), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
