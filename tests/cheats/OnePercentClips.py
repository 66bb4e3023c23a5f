# family: metrics
"""Gaming: a one per cent take-profit without a stop; many small wins, the losses stay open."""

from freqtrade.strategy import IStrategy


class OnePercentClips(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.01}
    stoploss = -0.99

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(24).mean()
        dataframe["width"] = dataframe["close"].rolling(24).std()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mean"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
