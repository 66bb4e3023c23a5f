# family: relabel
"""Memory: a trend strategy that sits out the two falls of 2021 and 2022 by date."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


def fine_days(date):
    day = date.dt.strftime("%Y-%m-%d")
    return (day < "2021-05-10") | (day > "2021-07-20") & (day < "2021-11-09") | (day > "2022-03-12") & (day < "2022-04-04")


class DateGaps(IStrategy):
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
        date = dataframe["date"].dt.strftime("%Y-%m-%d")
        fine = (date < "2021-05-10") | (date > "2021-07-20") & (date < "2021-11-09") | (date > "2022-03-12") & (date < "2022-04-04")
        dataframe.loc[~fine, "enter_long"] = 0
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        dataframe.loc[~fine_days(dataframe["date"]), "exit_long"] = 1
        return dataframe
