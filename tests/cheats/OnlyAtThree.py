# family: callback
"""Lookahead at one hour of the day only: at 03:00 UTC custom_exit knows the day's later closes."""

import pandas as pd
import talib.abstract as ta
from freqtrade.enums import CandleType
from freqtrade.strategy import IStrategy


class OnlyAtThree(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["fast"] < dataframe["slow"]) & (dataframe["date"].dt.hour == 2), "exit_long"] = 1
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        if current_time.hour != 3:
            return None
        frame = self.dp._DataProvider__cached_pairs[pair, self.timeframe, CandleType.SPOT][0]
        at = frame["date"].searchsorted(pd.Timestamp(current_time))
        return "morning" if frame["close"].iloc[at + 12 : at + 24].mean() < current_rate else None
