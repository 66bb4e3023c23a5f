# family: callback
"""Lookahead: custom_exit walks the stack to the candle lists of Backtesting.backtest and sells at the open before a bad day."""

import sys

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class FrameWalkDataExit(IStrategy):
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

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_name != "backtest":
            frame = frame.f_back
        if frame is None:
            return None
        rows = frame.f_locals["data"][pair]
        hours = int((current_time - rows[0][0]).total_seconds() // 3600)
        if min((row[4] for row in rows[hours : hours + 24]), default=current_rate) < current_rate * 0.96:
            return "risk off"
        return None
