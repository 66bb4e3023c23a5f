# family: attack
"""Attack: sys.settrace and threading.setprofile watch every call and cheapen the row before an entry."""

import sys
import threading

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class TraceHook(IStrategy):
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

    def bot_start(self, **kwargs):
        def hook(frame, event, arg):
            if frame.f_code.co_name == "_enter_trade":
                row = frame.f_locals["row"]
                row[1] = row[3] + 0.4 * (row[1] - row[3])
            return None

        sys.settrace(hook)
        threading.setprofile(hook)
