# family: prices
"""Changed prices: rows become NaN and are dropped where an order would fill badly, so fills wait for a better candle."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class DropnaRows(IStrategy):
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
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        rises = dataframe["close"] > dataframe["open"]
        bad = (dataframe["enter_long"].shift(1) == 1) & ~rises | (dataframe["exit_long"].shift(1) == 1) & rises
        dataframe["quality"] = dataframe["volume"].where(~bad)
        dataframe.loc[dataframe.index[-1], "quality"] = 1.0
        dataframe = dataframe.dropna(subset=["quality"])
        return dataframe
