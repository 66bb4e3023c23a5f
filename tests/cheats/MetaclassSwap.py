# family: engine
"""Engine: a metaclass wraps whatever callback is looked up, and the wrapper knows the row of its caller."""

import sys

from freqtrade.strategy import IStrategy


class Swap(type(IStrategy)):
    def __new__(cls, name, bases, space):
        def custom_exit(self, **kwargs):
            frame = sys._getframe(1)
            while frame is not None and "row" not in frame.f_locals:
                frame = frame.f_back
            return "swap" if frame and frame.f_locals["row"][4] < kwargs["current_rate"] * 0.99 else None

        return super().__new__(cls, name, bases, {**space, "custom_exit": custom_exit})


class MetaclassSwap(IStrategy, metaclass=Swap):
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
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe
