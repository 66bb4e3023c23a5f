# family: attack
"""Attack: never ends, and ignores every signal that can be ignored."""

import signal

from freqtrade.strategy import IStrategy


class EndlessLoop(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        for number in range(1, 32):
            try:
                signal.signal(number, signal.SIG_IGN)
            except OSError:
                continue
        while True:
            pass
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
