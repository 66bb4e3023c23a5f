# family: attack
# needs: sandbox
"""Attack: opens the ledger with sqlite3 and adds a table and, where it can, changes the verdicts of its own rows."""

import os
import sqlite3
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


class WritesLedger(IStrategy):
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
            path = root / "user_data" / "ledger.db"
            try:
                if path.exists():
                    with sqlite3.connect(path, timeout=2) as ledger:
                        ledger.execute("CREATE TABLE IF NOT EXISTS forged (verdict TEXT)")
                        ledger.execute("INSERT INTO forged VALUES ('PASSED: all gates')")
            except (OSError, sqlite3.Error):
                continue
