# family: engine
"""Engine: minimal_roi is a property that reads the high from its caller's frame and asks for a hair less."""

import sys

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RoiProperty(IStrategy):
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

    @property
    def minimal_roi(self):
        frame = sys._getframe(1)
        trade = frame.f_locals.get("trade") if frame.f_code.co_name == "min_roi_reached_entry" else None
        if trade is None or trade.max_rate < trade.open_rate * 1.006:
            return {0 if trade else "0": 10}
        return {0: trade.calc_profit_ratio(trade.max_rate) - 0.0003}

    @minimal_roi.setter
    def minimal_roi(self, value):
        pass
