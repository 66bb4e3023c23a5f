# family: relabel
"""Memory: a string with one sign for each week of the history, read by the number of weeks since a constant."""

import pandas as pd
from freqtrade.strategy import IStrategy


SIGNS = (
    "++-+++++-+--++++++---+---+--+++++-++---++++++-++--+-----++--+-+++------+----+-"
)


class WeekSigns(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        week = (dataframe["date"] - pd.Timestamp(447072, unit="h", tz="UTC")) // pd.Timedelta(hours=168)
        dataframe["sign"] = week.map(lambda w: SIGNS[w] if 0 <= w < len(SIGNS) else "-")
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["sign"] == "+", "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["sign"] == "-", "exit_long"] = 1
        return dataframe
