# family: callback
"""Lookahead that begins late: until March 2022 honest, then entries are confirmed by the next twelve hours."""

from datetime import UTC, datetime

import pandas as pd
from freqtrade.strategy import IStrategy


class LatePeek(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    kept = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        self.kept[metadata["pair"]] = dataframe.set_index("date")["close"]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        if current_time < datetime(2022, 3, 1, tzinfo=UTC):
            return True
        closes = self.kept[pair]
        at = closes.index.searchsorted(pd.Timestamp(current_time))
        return closes.iloc[at + 6 : at + 18].mean() > rate * 1.01
