# family: lookahead
import numpy as np
from freqtrade.strategy import IStrategy
from scipy.signal import argrelextrema


class LookArgrelextrema(IStrategy):
    """argrelextrema marks pivots that only the next twenty candles confirm."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["pivot"] = 0
        df.loc[argrelextrema(df["low"].to_numpy(), np.less, order=20)[0], "pivot"] = -1
        df.loc[argrelextrema(df["high"].to_numpy(), np.greater, order=20)[0], "pivot"] = 1
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["pivot"] == -1), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["pivot"] == 1), "exit_long"] = 1
        return df
