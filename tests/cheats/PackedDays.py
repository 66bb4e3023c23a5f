# family: relabel
"""Memory: the gaps between good days, one base-36 digit each, from a hidden start."""

import itertools

import pandas as pd
from freqtrade.strategy import IStrategy


RHYTHM = (
    "11113113131522222112321611212523122249124245232231412233342424121334194278724211411124212117321132a481e55314132b4233a31629a1b512"
    "13b72139522635i84363112236279441"
)

STEPS = list(itertools.accumulate(int(digit, 36) for digit in RHYTHM))


class PackedDays(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["day"] = (dataframe["date"] + pd.Timedelta(hours=1)).dt.floor("D")
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        number = dataframe["day"].map(lambda day: day.toordinal() - 737790)
        dataframe["enter_long"] = number.isin(STEPS).astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"] != 1, "exit_long"] = 1
        return dataframe
