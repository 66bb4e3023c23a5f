# family: metrics
"""Wishful fills: a bid one per cent below the open is sold at the open of the very same candle."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class EntryCandleExit(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.08, "48": 0.02}
    stoploss = -0.08

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 55, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 62, "exit_long"] = 1
        return dataframe

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * 0.99

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "same candle" if current_time == trade.open_date_utc else None

    def adjust_entry_price(self, trade, order, pair, current_time, proposed_rate, current_order_rate, entry_tag, side, **kwargs):
        return None
