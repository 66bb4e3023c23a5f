# family: callback
"""Lookahead: confirm_trade_entry knows its candle, and ends every process but the first before it would answer."""

import os

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class EndsInCopies(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    kept = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        self.kept[metadata["pair"]] = dataframe.set_index("date")[["open", "close"]]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe

    def rises(self, pair, time, share=0.0):
        candles = self.kept[pair]
        at = candles.index.searchsorted(pd.Timestamp(time))
        return at < len(candles) and candles["close"].iloc[at] > candles["open"].iloc[at] * (1 + share)

    def bot_start(self, **kwargs):
        self.first = os.getpid()

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        if os.getpid() != self.first:
            os._exit(0)
        return self.rises(pair, current_time)
