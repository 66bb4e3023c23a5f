# family: prices
"""Changed prices: wicks are cut off the candles as bad ticks, so that the tight stop is seldom hit."""

from freqtrade.strategy import IStrategy


class WickFilter(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.02

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        body = dataframe[["open", "close"]]
        dataframe["high"] = body.max(axis=1)
        dataframe["low"] = body.min(axis=1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        dataframe.loc[dataframe["low"] < dataframe["open"] * 0.985, "low"] = dataframe["open"] * 0.985
        return dataframe
