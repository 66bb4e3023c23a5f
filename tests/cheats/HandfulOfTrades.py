# family: metrics
"""Gaming: a condition so rare that a handful of lucky trades makes the result."""

from freqtrade.strategy import IStrategy


class HandfulOfTrades(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    max_open_trades = 1

    def populate_indicators(self, dataframe, metadata):
        dataframe["slow"] = dataframe["close"].rolling(480).mean()
        dataframe["stretch"] = dataframe["close"] / dataframe["slow"]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        push = (dataframe["stretch"] > 1.40) & (dataframe["stretch"].shift(1) <= 1.40)
        dataframe.loc[push & (dataframe["volume"] > dataframe["volume"].rolling(480).mean() * 2.5), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
