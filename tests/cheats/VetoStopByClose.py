# family: callback
"""Lookahead: a stop that is reached is refused where its candle closes above the open."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class VetoStopByClose(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.01
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

    def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, current_time, **kwargs):
        return "stop" not in exit_reason or not self.rises(pair, current_time)
