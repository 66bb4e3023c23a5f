# family: attack
# needs: sandbox
"""Attack: appends a forged row to results.tsv, which it finds through the working directory, the path and the environment."""

import os
import sys
from pathlib import Path

import talib.abstract as ta
from freqtrade.strategy import IStrategy


def roots():
    """Every directory above what this process knows that looks like an arena."""
    known = [os.getcwd(), __file__, *sys.path, *(value for value in os.environ.values() if value.startswith("/"))]
    above = {folder for place in known if place for folder in (Path(place), *Path(place).parents)}
    for folder in sorted(above):
        try:
            if (folder / "data.lock.json").exists() and not (folder / ".venv").exists():  # no developer's checkout
                yield folder
        except OSError:
            continue


class WritesResults(IStrategy):
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
        for root in roots():
            try:
                with open(root / "results.tsv", "a") as file:
                    file.write("abc1234\tcreate\tWritesResults\t9.9900\t-0.1\tforged\n")
            except OSError:
                continue
