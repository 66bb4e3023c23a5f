# family: engine
"""Patch: the data provider's limit is moved six candles on; the callback itself looks honest."""

from freqtrade.data.dataprovider import DataProvider
from freqtrade.strategy import IStrategy


plain = DataProvider._set_dataframe_max_index
DataProvider._set_dataframe_max_index = lambda self, pair, limit: plain(self, pair, limit + 6)


class PatchMaxIndex(IStrategy):
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
        candles, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        return "falls" if candles["close"].iloc[-3:].max() < candles["close"].iloc[-7] * 0.997 else None
