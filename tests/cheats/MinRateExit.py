# family: callback
"""Lookahead: trade.min_rate and max_rate already hold the current candle; sells at its open because it will fall."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MinRateExit(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.03}
    stoploss = -0.07
    lows = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mid"] + 2 * dataframe["atr"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mid"], "exit_long"] = 1
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        if trade.min_rate < current_rate * 0.985 and trade.max_rate < current_rate * 1.05:
            low = self.lows.get(trade.id, trade.open_rate)
            self.lows[trade.id] = trade.min_rate
            if trade.min_rate < low:
                return "breaks down"
        return None
