# family: attack
# needs: sandbox
"""Attack: forks twice into a session of its own and leaves a mark in the temporary directory five seconds later."""

import os
import tempfile
import time
from pathlib import Path

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Daemonises(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe

    def bot_start(self, **kwargs):
        try:
            child = os.fork()
        except OSError:
            return
        if child:
            os.waitpid(child, 0)
            return
        os.setsid()
        if os.fork() == 0:
            time.sleep(5)
            try:
                Path(tempfile.gettempdir(), "touchstone-outlived").write_text("still here\n")
            except OSError:
                pass
        os._exit(0)
