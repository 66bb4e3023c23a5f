# family: engine
"""Engine: min_roi_reached is overridden; the target follows to just below each candle's high."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OwnMinRoi(IStrategy):
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

    best = 0.0

    def min_roi_reached(self, trade, current_profit, current_time):
        self.best = current_profit
        return current_profit > 0.006

    def min_roi_reached_entry(self, trade, trade_dur, current_time):
        return trade_dur + 1, self.best - 0.0003
