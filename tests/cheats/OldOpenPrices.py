# family: prices
"""Changed prices: the open becomes the previous candle's open, clipped into the candle, so breakouts are bought before they happen."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OldOpenPrices(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mid"] + 2 * dataframe["atr"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mid"], "exit_long"] = 1
        dataframe["open"] = dataframe["open"].shift(1).fillna(dataframe["open"]).clip(dataframe["low"], dataframe["high"])
        return dataframe
