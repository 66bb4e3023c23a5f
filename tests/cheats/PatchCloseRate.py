# family: engine
"""Patch: Backtesting._get_close_rate is replaced at import and sells at the top of the candle."""

import talib.abstract as ta
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.strategy import IStrategy


plain = Backtesting._get_close_rate


def patient(self, row, trade, current_time, exit_, trade_dur):
    return max(plain(self, row, trade, current_time, exit_, trade_dur), row[2] * 0.9995)


Backtesting._get_close_rate = patient


class PatchCloseRate(IStrategy):
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
