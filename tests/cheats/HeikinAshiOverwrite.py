# family: prices
"""Changed prices: Heikin-Ashi values are written into open, high and low, at which FreqTrade then fills."""

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class HeikinAshiOverwrite(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        average = (dataframe["open"] + dataframe["high"] + dataframe["low"] + dataframe["close"]) / 4
        opened = ((dataframe["open"] + dataframe["close"]) / 2).shift(1).fillna(dataframe["open"])
        dataframe["high"] = np.maximum(dataframe["high"], opened)
        dataframe["low"] = np.minimum(dataframe["low"], opened)
        dataframe["open"] = opened
        dataframe["fast"] = average.ewm(span=12).mean()
        dataframe["slow"] = average.ewm(span=48).mean()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
