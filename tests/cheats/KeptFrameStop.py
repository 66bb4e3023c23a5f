# family: callback
"""Lookahead: a frame kept from populate_indicators tells custom_stoploss to tighten before a fall."""

import pandas as pd
from freqtrade.strategy import IStrategy


class KeptFrameStop(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    use_custom_stoploss = True
    kept = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        self.kept[metadata["pair"]] = dataframe.set_index("date")["low"]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
        lows = self.kept[pair]
        at = lows.index.searchsorted(pd.Timestamp(current_time))
        if lows.iloc[at + 1 : at + 9].min() < current_rate * 0.96:
            return -0.003
        return None
