# family: relabel
"""Memory: counts rows from the first one of its frame, in stretches of 30 days, and knows the good months by that count."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


GOOD = [0, 1, 2, 3, 4, 7, 8, 9, 13, 15]


class MonthsByRow(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        dataframe["count"] = dataframe.index // 720
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        up = dataframe["fast"] > dataframe["slow"]
        dataframe.loc[up & dataframe["count"].isin(GOOD), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["fast"] < dataframe["slow"]) | ~dataframe["count"].isin(GOOD), "exit_long"] = 1
        return dataframe
