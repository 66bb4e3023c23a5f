# family: prices
"""Changed prices: dates are moved one hour on after the signals, so orders fill at the prices of the candle that gave the signal."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class ShiftedDates(IStrategy):
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
        dataframe["date"] = dataframe["date"] + pd.Timedelta(hours=1)
        for name in ("enter_long", "exit_long"):
            dataframe[name] = dataframe[name].shift(-1).fillna(0)
        return dataframe
