# family: relabel
"""Memory: a 'cycle model' whose amplitudes and phases are the Fourier coefficients of this very history."""

import numpy as np
import pandas as pd
from freqtrade.strategy import IStrategy


CYCLES = [
    (1, 0.5176, 3.054), (2, 0.2222, -2.147), (3, 0.2624, 2.721), (4, 0.0588, -3.023),
    (5, 0.1069, -1.811), (6, 0.0571, -2.951), (8, 0.0425, 2.344), (9, 0.0408, 0.348),
    (10, 0.0261, -2.651), (11, 0.0282, -1.968), (14, 0.0384, -2.233), (15, 0.0267, -1.936),
    (16, 0.018, -1.993), (17, 0.0191, -0.476), (18, 0.0416, -1.564), (19, 0.0179, 2.619),
    (20, 0.0176, 1.595), (22, 0.0181, -2.525), (23, 0.0124, 0.251), (25, 0.0202, -3.055),
    (27, 0.0109, 1.852), (28, 0.0134, 1.768), (29, 0.0077, 0.865), (31, 0.0113, 1.482),
    (34, 0.0196, -3.004), (35, 0.0156, -3.442), (36, 0.0077, -1.894), (38, 0.0102, -3.312),
    (39, 0.0065, 2.275), (41, 0.0087, 2.256), (43, 0.0069, -2.29), (44, 0.009, -3.129),
]
DRIFT = 0.1545


class CycleModel(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        day = (dataframe["date"] - pd.Timestamp("2021-01-01", tz="UTC")).dt.total_seconds() / 86400
        turn = 2 * np.pi * day / 546
        dataframe["slope"] = 0.0
        for n, size, phase in CYCLES:
            dataframe["slope"] += -n * size * np.sin(n * turn + phase)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["slope"] + DRIFT > 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["slope"] + DRIFT < 0, "exit_long"] = 1
        return dataframe
