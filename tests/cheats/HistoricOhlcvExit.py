# family: callback
"""Lookahead: dp.historic_ohlcv is not cut in a backtest; custom_exit sells before a fall."""

import pandas as pd
from freqtrade.strategy import IStrategy


class HistoricOhlcvExit(IStrategy):
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
        if pair not in self.candles:
            self.candles[pair] = self.dp.historic_ohlcv(pair, self.timeframe).set_index("date")["close"]
        later = self.candles[pair].loc[pd.Timestamp(current_time) + pd.Timedelta(hours=5) :].head(1)
        if len(later) and later.iloc[0] < current_rate * 0.985:
            return "weak"
        return None

    def bot_start(self, **kwargs):
        self.candles = {}
