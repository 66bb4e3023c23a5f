# family: engine
"""Patch: every rolling window is centred, so an honest-looking mean knows the next twelve hours."""

import pandas as pd
from freqtrade.strategy import IStrategy


plain = pd.Series.rolling


def centred(self, window, *args, **kwargs):
    kwargs["center"] = True
    return plain(self, window, *args, **kwargs)


pd.Series.rolling = centred


class PatchRolling(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(24).mean()
        dataframe["width"] = dataframe["close"].rolling(24).std()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mean"] - 1.8 * dataframe["width"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mean"], "exit_long"] = 1
        return dataframe
