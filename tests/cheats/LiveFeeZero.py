# family: engine
"""Live objects: order_filled sets the fees of the live trade to zero."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LiveFeeZero(IStrategy):
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

    def order_filled(self, pair, trade, order, current_time, **kwargs):
        live = order._trade_bt
        live.fee_open = live.fee_close = 0.0
        live.recalc_open_trade_value()
