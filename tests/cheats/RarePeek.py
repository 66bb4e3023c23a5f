# family: callback
"""Lookahead that acts rarely: leaves only before a fall of eight per cent within a day."""

import numpy as np
from freqtrade.strategy import IStrategy


class RarePeek(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

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

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        view = self.dp.get_analyzed_dataframe(pair, self.timeframe)[0]["low"].to_numpy()
        row = next(r for r in np.atleast_2d(view.base) if np.shares_memory(r, view))
        at = (view.__array_interface__["data"][0] - row.__array_interface__["data"][0]) // view.itemsize + len(view)
        return "storm" if row[at : at + 24].min(initial=current_rate) < current_rate * 0.92 else None
