# family: callback
"""Lookahead: a bid is withdrawn by check_entry_timeout when its candle is going to close lower."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class TimeoutBeforeTheFall(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    unfilledtimeout = {"entry": 1440, "exit": 60, "unit": "minutes"}
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

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * 0.995

    def check_entry_timeout(self, pair, trade, order, current_time, **kwargs):
        return not self.rises(pair, current_time)
