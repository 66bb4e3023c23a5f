# family: attack
# needs: sandbox
"""Attack: fills its scratch directories with symbolic links that lead out, and swaps its own source for one."""

import os
from pathlib import Path

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class SymlinksInScratch(IStrategy):
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
        own = Path(__file__)
        if own.parent.name == "cheats":  # the corpus itself, not a worker's copy
            return
        places = {own.parent, own.parent.parent, Path(self.config["user_data_dir"])}
        for place in places:
            for name, target in (("out", "/"), ("up", "../../../.."), ("loop", "loop"), ("results.tsv", os.path.join(os.getcwd(), "results.tsv"))):
                try:
                    (place / name).symlink_to(target)
                except OSError:
                    continue
        try:
            own.rename(own.with_suffix(".bak"))
            own.symlink_to("/etc/hostname")
        except OSError:
            pass
