# family: engine
"""Patch: Order.close_bt_order makes every sale 0.4 per cent dearer before it is recorded."""

import talib.abstract as ta
from freqtrade.persistence import Order
from freqtrade.strategy import IStrategy


plain = Order.close_bt_order


def dearer(self, close_date, trade):
    if self.ft_order_side == "sell":
        self.ft_price = self.price = self.average = self.ft_price * 1.004
    plain(self, close_date, trade)


Order.close_bt_order = dearer


class PatchCloseBtOrder(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07

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
