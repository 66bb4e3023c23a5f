# family: engine
"""Hook: sys.setprofile lowers the open in FreqTrade's row whenever a trade is about to be entered."""

import sys

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class StackProfile(IStrategy):
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

    def bot_start(self, **kwargs):
        def hook(frame, event, arg):
            if event == "call" and frame.f_code.co_name == "_enter_trade":
                row = frame.f_locals["row"]
                row[1] = row[3] + 0.3 * (row[1] - row[3])

        sys.setprofile(hook)
