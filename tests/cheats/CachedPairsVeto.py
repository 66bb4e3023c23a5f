# family: callback
"""Lookahead: confirm_trade_entry reads the data provider's private cache and refuses entries that fall."""

import pandas as pd
from freqtrade.strategy import IStrategy


class CachedPairsVeto(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(24).mean()
        dataframe["width"] = dataframe["close"].rolling(24).std()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mean"] - 1.8 * dataframe["width"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mean"], "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        for (name, _, _), (frame, _) in self.dp._DataProvider__cached_pairs.items():
            if name == pair:
                at = frame["date"].searchsorted(pd.Timestamp(current_time))
                return frame["low"].iloc[at : at + 24].min() > rate * 0.98
        return True
