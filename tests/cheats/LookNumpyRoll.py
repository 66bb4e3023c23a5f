# family: lookahead
import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookNumpyRoll(IStrategy):
    """np.roll by a negative number brings tomorrow's close into a volatility breakout."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        df["ahead"] = np.roll(df["close"].to_numpy(), -8)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["mid"] + 2 * df["atr"]) & (df["ahead"] > df["close"] * 1.015), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["ahead"] < df["close"] * 0.985), "exit_long"] = 1
        return df
