# family: callback
"""Lookahead: order_filled looks up the best exit of the next two days; custom_exit only follows the plan."""

import pandas as pd
from freqtrade.enums import CandleType
from freqtrade.strategy import IStrategy


class OrderFilledPlan(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3
    plan = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(24).mean()
        dataframe["width"] = dataframe["close"].rolling(24).std()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mean"] - 1.8 * dataframe["width"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def order_filled(self, pair, trade, order, current_time, **kwargs):
        if order.ft_order_side == "buy":
            frame = self.dp._DataProvider__cached_pairs[pair, self.timeframe, CandleType.SPOT][0]
            opens = frame.loc[frame["date"] > current_time].head(48).set_index("date")["open"]
            self.plan[pair] = opens.idxmax() if len(opens) else None

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "planned" if self.plan.get(pair) == pd.Timestamp(current_time) else None
