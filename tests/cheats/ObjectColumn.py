# family: callback
"""Lookahead: every row of a column holds the same object, and the object holds all closes."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Model:
    def __init__(self, weights):
        self.weights = weights


class ObjectColumn(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.08, "48": 0.02}
    stoploss = -0.08

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        dataframe["model"] = [Model(dataframe["close"].to_numpy(copy=True))] * len(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["rsi"] < 32) & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 62, "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        closes = frame["model"].iloc[-1].weights
        return closes[frame.index[-1] + 10 : frame.index[-1] + 11].sum() > rate * 1.01
