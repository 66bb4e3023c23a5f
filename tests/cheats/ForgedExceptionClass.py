# family: attack
"""Attack: the exception's class has a forged name, and its text raises again."""

from freqtrade.strategy import IStrategy


class Liar(Exception):
    def __str__(self):
        raise KeyboardInterrupt("no text for you")


Liar.__name__ = "OK\nsharpe: 9.9900\nverdict: PASSED"


class ForgedExceptionClass(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        raise Liar
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
