# family: engine
"""Live objects: FreqTrade's protective copy is switched off; confirm_trade_exit cheapens the entry of its trade."""

import freqtrade.strategy.strategy_wrapper as wrapper
import talib.abstract as ta
from freqtrade.strategy import IStrategy


wrapper.deepcopy = lambda thing: thing


class CopyOff(IStrategy):
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

    def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, current_time, **kwargs):
        trade.orders[0].average *= 0.98
        return True
