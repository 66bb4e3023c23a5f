# family: attack
# needs: sandbox
"""Attack: allocates up to 16 GB, of which it touches one, and goes on when it is refused."""

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemoryBomb(IStrategy):
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
        blocks = []
        try:
            for number in range(256):
                block = np.empty(64 * 2**20, dtype=np.uint8)
                if number < 16:
                    block[:] = 1
                blocks.append(block)
        except MemoryError:
            pass
        blocks.clear()
