# family: attack
# needs: sandbox
"""Attack: starts a shell and a Python that leave a mark in the temporary directory."""

import subprocess
import sys
import tempfile

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class SpawnsProcess(IStrategy):
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
        mark = tempfile.gettempdir() + "/touchstone-spawned"
        for command in (["sh", "-c", f"echo sh >> {mark}"], [sys.executable, "-c", f"open({mark!r}, 'a').write('python')"]):
            try:
                subprocess.run(command, capture_output=True, timeout=10)
            except (OSError, subprocess.SubprocessError):
                continue
