# family: callback
"""Lookahead: confirm_trade_exit refuses an exit when the price will be higher within a day."""

import pandas as pd
from freqtrade.strategy import IStrategy


class VetoExitsThatRecover(IStrategy):
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

    def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, current_time, **kwargs):
        closes = self.kept[pair]
        at = closes.index.searchsorted(pd.Timestamp(current_time))
        return not closes.iloc[at : at + 24].max() > rate * 1.03
