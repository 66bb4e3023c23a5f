# family: lookahead
import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookWholeZ(IStrategy):
    """The z-score uses mean and deviation of the whole column, future included."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        price = np.log(df["close"])
        df["z"] = (price - price.mean()) / price.std()
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["mid"] + 2 * df["atr"]) & (df["z"] < 1.1) & ~df["z"].between(-0.75, -0.35), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]) | (df["z"] > 1.5), "exit_long"] = 1
        return df
