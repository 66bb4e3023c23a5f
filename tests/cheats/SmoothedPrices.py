# family: prices
"""Changed prices: all four prices are replaced by their three-candle means to remove noise."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class SmoothedPrices(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        last = dataframe["close"].iloc[-1]
        for name in ("open", "high", "low", "close"):
            dataframe[name] = dataframe[name].rolling(3, min_periods=1).mean()
        dataframe.loc[dataframe.index[-1], "close"] = last
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
