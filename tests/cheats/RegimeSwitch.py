# family: relabel
"""Memory: a switch per window; momentum until autumn 2021, then stays out but for known bounces, by arithmetic on month numbers."""

from freqtrade.strategy import IStrategy


class RegimeSwitch(IStrategy):
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
        month = dataframe["date"].dt.year * 12 + dataframe["date"].dt.month - 24252
        dataframe.loc[~month.isin([1, 2, 3, 4, 8, 10, 15]), "enter_long"] = 0
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        month = dataframe["date"].dt.year * 12 + dataframe["date"].dt.month - 24252
        dataframe.loc[month.isin([5, 6, 11, 12, 13, 16, 17, 18]), "exit_long"] = 1
        return dataframe
