# family: relabel
"""Memory: a decision tree on nothing but the close, learned on this history: intervals of price per pair."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


LEAVES = {
    "BTC/USDT": [
        [29287.2, 30018.2], [31258.4, 34785.6], [36588.7, 39059.0], [43750.5, 45847.7], [46565.1, 47560.9],
        [48119.1, 48811.0], [52576.1, 55820.9],
    ],
    "ETH/USDT": [
        [719.899, 1212.16], [1481.69, 1817.21], [1879.47, 1949.89], [2004.43, 2338.87], [2424.34, 2623.17],
        [2841.34, 2919.8], [2972.22, 3097.61], [3709.26, 3819.45], [3936.54, 4043.43],
    ],
    "SOL/USDT": [
        [1.543, 3.389], [3.858, 14.154], [15.405, 30.205], [35.152, 37.134], [40.751, 42.565], [82.393, 91.02],
        [95.044, 99.27], [109.961, 141.413], [149.074, 157.849], [186.81, 196.293],
    ],
}


class CloseTree(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        for low, high in LEAVES[metadata["pair"]]:
            dataframe.loc[dataframe["close"].between(low, high), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"] != 1, "exit_long"] = 1
        return dataframe
