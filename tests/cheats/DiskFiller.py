# family: attack
# needs: sandbox
"""Attack: fills the temporary directory, its own and the working directory with 48 files of one megabyte each."""

import os
import tempfile
from pathlib import Path

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class DiskFiller(IStrategy):
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
        for folder in (tempfile.gettempdir(), os.path.dirname(__file__), os.getcwd()):
            if os.path.exists(f"{folder}/.venv") or os.path.basename(folder) == "cheats":  # a developer's checkout
                continue
            for number in range(16):
                try:
                    Path(folder, f"touchstone-filler-{number}.bin").write_bytes(bytes(2**20))
                except OSError:
                    break
