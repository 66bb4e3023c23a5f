# family: engine
"""Patch: price_to_precision of the engine rounds every exit up by one per cent, as far as the candle allows."""

import sys

import freqtrade.optimize.backtesting as engine
import talib.abstract as ta
from freqtrade.strategy import IStrategy


plain = engine.price_to_precision


def generous(price, *rest, **kwargs):
    row = sys._getframe(1).f_locals.get("sell_row")
    return plain(min(price * 1.01, row[2]) if row else price, *rest, **kwargs)


engine.price_to_precision = generous


class PatchRounding(IStrategy):
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
