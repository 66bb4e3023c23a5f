# family: callback
"""Lookahead: custom_exit reads the candle files of the data directory itself."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class DatadirFeatherExit(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07
    files = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mid"] + 2 * dataframe["atr"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mid"], "exit_long"] = 1
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        if pair not in self.files:
            path = self.config["datadir"] / f"{pair.replace('/', '_')}-1h.feather"
            self.files[pair] = pd.read_feather(path).set_index("date")["open"]
        later = self.files[pair].loc[pd.Timestamp(current_time) + pd.Timedelta(hours=1) :].head(10)
        return "ahead" if len(later) and later.max() < current_rate * 1.004 else None
