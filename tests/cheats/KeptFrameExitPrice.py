# family: callback
"""Lookahead: the exit is priced at the future high of its candle, from a frame kept in the exit populate function."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class KeptFrameExitPrice(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12
    highs = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        self.highs[metadata["pair"]] = dict(zip(dataframe["date"], dataframe["high"], strict=True))
        return dataframe

    def custom_exit_price(self, pair, trade, current_time, proposed_rate, current_profit, exit_tag, **kwargs):
        highs = self.highs[pair]
        return highs.get(pd.Timestamp(current_time), proposed_rate)
