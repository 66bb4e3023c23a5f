# family: metrics
"""Gaming: trades only when volatility is extreme, which this history had in one short stretch."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class FewWildDays(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.2

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        dataframe["wild"] = dataframe["atr"].rolling(72).mean() / dataframe["close"]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["wild"] > 0.012) & (dataframe["close"] > dataframe["close"].shift(24) * 1.15), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["close"].shift(48), "exit_long"] = 1
        return dataframe
