# family: prices
"""Changed prices: an inner merge with the usable hours removes the candles after a signal that do not rise."""

import pandas as pd
from freqtrade.strategy import IStrategy


class InnerMergeRows(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        bought = dataframe["enter_long"].shift(1) == 1
        usable = dataframe.loc[~bought | (dataframe["close"] > dataframe["open"] * 1.003), ["date"]]
        usable = pd.concat([usable, dataframe[["date"]].tail(1)]).drop_duplicates()
        dataframe = dataframe.merge(usable, on="date", how="inner")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe
