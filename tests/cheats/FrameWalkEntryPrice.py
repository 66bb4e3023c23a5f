# family: callback
"""Lookahead: custom_entry_price walks the stack to FreqTrade's own row and bids the candle's low."""

import sys

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class FrameWalkEntryPrice(IStrategy):
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

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        frame = sys._getframe(1)
        while frame is not None and "row" not in frame.f_locals:
            frame = frame.f_back
        return frame.f_locals["row"][3] if frame else proposed_rate
