# family: metrics
"""Wishful fills: bids three per cent below and sells in the same candle at a limit just under the open, low first."""

from freqtrade.strategy import IStrategy


class DeepDiscountScalp(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(24).mean()
        dataframe["width"] = dataframe["close"].rolling(24).std()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["volume"] > 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mean"], "exit_long"] = 1
        return dataframe

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * 0.97

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "scalp"

    def custom_exit_price(self, pair, trade, current_time, proposed_rate, current_profit, exit_tag, **kwargs):
        return proposed_rate * 0.999

    def adjust_entry_price(self, trade, order, pair, current_time, proposed_rate, current_order_rate, entry_tag, side, **kwargs):
        return None
