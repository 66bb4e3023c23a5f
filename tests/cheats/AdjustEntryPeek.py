# family: callback
"""Lookahead: a far bid is moved to the current candle's low by adjust_entry_price once the next day will be good."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class AdjustEntryPeek(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.08, "48": 0.02}
    stoploss = -0.08
    kept = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        self.kept[metadata["pair"]] = dataframe.set_index("date")[["low", "close"]]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["rsi"] < 32) & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 62, "exit_long"] = 1
        return dataframe

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * 0.9

    def adjust_entry_price(self, trade, order, pair, current_time, proposed_rate, current_order_rate, entry_tag, side, **kwargs):
        candles = self.kept[pair]
        at = candles.index.searchsorted(pd.Timestamp(current_time))
        if candles["close"].iloc[at : at + 24].max() > proposed_rate * 1.02:
            return candles["low"].iloc[at]
        return current_order_rate
