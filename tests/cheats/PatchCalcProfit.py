# family: engine
"""Patch: LocalTrade.calculate_profit adds thirty per cent to every gain."""

from dataclasses import replace

import talib.abstract as ta
from freqtrade.persistence import LocalTrade
from freqtrade.strategy import IStrategy


plain = LocalTrade.calculate_profit


def kind(self, *args, **kwargs):
    profit = plain(self, *args, **kwargs)
    return replace(profit, profit_abs=profit.profit_abs * 1.3) if profit.profit_abs > 0 else profit


LocalTrade.calculate_profit = kind


class PatchCalcProfit(IStrategy):
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
