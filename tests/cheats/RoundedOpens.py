# family: prices
"""Changed prices: opens are rounded down to a coarse step inside the candle, a little cheaper at every entry."""

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RoundedOpens(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        entered = dataframe["enter_long"].shift(1) == 1
        cheap = np.maximum(dataframe["low"], dataframe["open"] * 0.992)
        dataframe["open"] = dataframe["open"].where(~entered, cheap)
        return dataframe
