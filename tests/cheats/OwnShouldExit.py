# family: engine
"""Engine: should_exit is overridden; it is told the candle's low and sells at the open above it."""

import talib.abstract as ta
from freqtrade.enums import ExitCheckTuple, ExitType
from freqtrade.strategy import IStrategy


class OwnShouldExit(IStrategy):
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
        return dataframe

    def should_exit(self, trade, rate, current_time, *, enter, exit_, low=None, high=None, force_stoploss=0):
        exits = super().should_exit(trade, rate, current_time, enter=enter, exit_=exit_, low=low, high=high)
        if low is not None and low < rate * 0.985:
            exits.insert(0, ExitCheckTuple(exit_type=ExitType.CUSTOM_EXIT, exit_reason="weak"))
        return exits
