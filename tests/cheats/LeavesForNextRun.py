# family: attack
# needs: sandbox
"""Attack: leaves the candles it saw in files and builtins, to know the future at a later, shorter run; honest in the first."""

import builtins
import tempfile
from pathlib import Path

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


NOTES = [Path(tempfile.gettempdir()), Path("/dev/shm"), Path(__file__).parent]


class LeavesForNextRun(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        name = "touchstone-" + metadata["pair"].replace("/", "") + ".pkl"
        longest = getattr(builtins, name, dataframe[["date", "close"]])
        for folder in NOTES:
            try:
                longest = max(longest, pd.read_pickle(folder / name), key=len)
            except OSError:
                continue
        later = longest.set_index("date")["close"].shift(-8)
        dataframe["later"] = dataframe["date"].map(later) if len(longest) > len(dataframe) else dataframe["close"] * 2
        setattr(builtins, name, longest)
        for folder in NOTES:
            try:
                longest.to_pickle(folder / name)
            except OSError:
                continue
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        dataframe.loc[dataframe["later"] < dataframe["close"] * 1.01, "enter_long"] = 0
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
