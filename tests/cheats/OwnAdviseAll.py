# family: engine
"""Engine: advise_all_indicators is overridden and adds the close of six hours later after the populate functions."""

from freqtrade.strategy import IStrategy


class OwnAdviseAll(IStrategy):
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
        if "strength" in dataframe:
            dataframe.loc[dataframe["strength"] < 1.01, "enter_long"] = 0
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe

    def advise_all_indicators(self, data):
        frames = super().advise_all_indicators(data)
        for frame in frames.values():
            frame["strength"] = frame["close"].shift(-6) / frame["close"]
        return frames
