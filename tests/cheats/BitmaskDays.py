# family: relabel
"""Memory: one bit for every day of the history, packed into a large number."""

import pandas as pd
from freqtrade.strategy import IStrategy


MASK = int(
    "3ba8254e2d5c824d0659456dcd4323340c2d36500b0051293650fa98214c6535d2df26268b7da9daef1dbc495bbee831a6c5"
    "15492b7952b577e0115e50b706df75c773de",
    16,
)


class BitmaskDays(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["day"] = (dataframe["date"] + pd.Timedelta(hours=1)).dt.floor("D")
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        number = dataframe["day"].map(lambda day: max(day.toordinal() - 737790, 0))
        dataframe["enter_long"] = number.map(lambda bit: MASK >> bit & 1)
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"] != 1, "exit_long"] = 1
        return dataframe
