# family: engine
"""Engine: __getattribute__ answers use_exit_signal from the low that stands in the caller's frame."""

import sys

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class GetattributeSwitch(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mid"] + 2 * dataframe["atr"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mid"], "exit_long"] = 1
        return dataframe

    def __getattribute__(self, name):
        if name == "use_exit_signal":
            frame = sys._getframe(1)
            if frame.f_code.co_name == "should_exit":
                return frame.f_locals["low"] < frame.f_locals["rate"] * 0.988
        return super().__getattribute__(name)

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "switch"
