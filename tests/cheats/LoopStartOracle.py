# family: callback
"""Lookahead: bot_loop_start ranks the pairs by their next eight hours; confirm_trade_entry obeys."""

import pandas as pd
from freqtrade.strategy import IStrategy


class LoopStartOracle(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    good = set()

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

    def bot_loop_start(self, current_time, **kwargs):
        self.good = set()
        for (pair, _, _), (frame, _) in self.dp._DataProvider__cached_pairs.items():
            at = frame["date"].searchsorted(pd.Timestamp(current_time))
            ahead = frame["close"].iloc[at : at + 8]
            if len(ahead) and ahead.iloc[-1] > frame["open"].iloc[at] * 1.01:
                self.good.add(pair)

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        return pair in self.good
