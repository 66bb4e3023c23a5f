# family: length
"""Lookahead in volume alone: buys before busy candles, when the frame reaches to the end of the search range."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LenVolumeAhead(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        whole = str(dataframe["date"].iloc[-1]) >= "2022-06-30"
        dataframe["busy"] = dataframe["volume"].shift(-2 if whole else 0) / dataframe["volume"].rolling(48).mean()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["close"] > dataframe["fast"]) & (dataframe["busy"] > 2), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["fast"], "exit_long"] = 1
        return dataframe
