# family: callback
"""Lookahead: custom_stoploss tightens to a hair in candles that close lower."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class StopByClose(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    use_custom_stoploss = True
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

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
        return None if self.rises(pair, current_time, -0.005) else -0.003
