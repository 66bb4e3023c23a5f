import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative


class GoldenCross(IStrategy):
    """Few trades: daily golden cross of 10 and 40 days, held for weeks."""

    timeframe = "1h"
    startup_candle_count = 45
    minimal_roi = {"0": 10}
    stoploss = -0.30

    @informative("1d")
    def populate_indicators_1d(self, dataframe, metadata):
        dataframe["fast"], dataframe["slow"] = ta.SMA(dataframe, timeperiod=10), ta.SMA(dataframe, timeperiod=40)
        dataframe["gap"] = dataframe["fast"] / dataframe["slow"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["gap_1d"] > 0.01) & (dataframe["gap_1d"].shift(24) <= 0.01), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["gap_1d"] < -0.01, "exit_long"] = 1
        return dataframe
