# family: callback
"""Lookahead: adds to positions only before rises; adjust_trade_position looks twelve hours ahead in a kept frame."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class AdjustByFuture(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12
    position_adjustment_enable = True
    kept = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        self.kept[metadata["pair"]] = dataframe.set_index("date")["close"]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe

    def adjust_trade_position(self, trade, current_time, current_rate, current_profit, min_stake, max_stake, **kwargs):
        closes = self.kept[trade.pair]
        at = closes.index.searchsorted(pd.Timestamp(current_time))
        if trade.nr_of_successful_entries < 4 and closes.iloc[at : at + 12].min() > current_rate * 1.002:
            return min(max_stake, trade.stake_amount)
        return None

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):
        return proposed_stake * 0.25
