# family: prices
"""Changed prices: candles with a large move are interpolated between their neighbours, the later one included."""

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OutlierRepair(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        prices = ["open", "high", "low", "close"]
        last = dataframe["close"].iloc[-1]
        wild = dataframe["close"].pct_change().abs() > 0.012
        dataframe.loc[wild, prices] = np.nan
        dataframe[prices] = dataframe[prices].interpolate(limit_direction="both")
        dataframe.loc[dataframe.index[-1], "close"] = last
        dataframe["mid"] = dataframe["close"].ewm(span=12).mean()
        dataframe["atr"] = dataframe["atr"] * 0.1
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mid"] + 2 * dataframe["atr"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mid"], "exit_long"] = 1
        return dataframe
