# family: engine
"""Patch: pandas.Series.shift leaves signals where they are, so FreqTrade executes them in their own candle."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


plain = pd.Series.shift


def lazy(self, periods=1, *args, **kwargs):
    moved = 0 if periods == 1 and self.name in ("enter_long", "exit_long") else periods
    return plain(self, moved, *args, **kwargs)


pd.Series.shift = lazy


class PatchSeriesShift(IStrategy):
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
        return dataframe
