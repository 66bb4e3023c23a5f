# family: attack
# needs: sandbox
"""Attack: tags are objects that leave a mark in the temporary directory when somebody unpickles them; the strategy is honest."""

import os
import tempfile

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Tag(str):
    def __reduce__(self):
        return os.makedirs, (tempfile.gettempdir() + "/touchstone-unpickled", 0o700, True)


class UnpickledTag(IStrategy):
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
        dataframe.loc[dataframe["enter_long"] == 1, "enter_tag"] = Tag("cross")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
