# family: metrics
"""Wishful fills: bids at the latest low, coarsely rounded, and leaves at the next open; a touch counts as a fill."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class TouchOfTheLow(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["volume"] > 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mid"], "exit_long"] = 1
        return dataframe

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        candles, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        return min(float(f"{candles['low'].iloc[-1]:.3g}"), proposed_rate * 0.998)

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "next"

    def adjust_entry_price(self, trade, order, pair, current_time, proposed_rate, current_order_rate, entry_tag, side, **kwargs):
        return None
