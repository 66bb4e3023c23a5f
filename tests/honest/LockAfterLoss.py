from datetime import timedelta

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LockAfterLoss(IStrategy):
    """Breakout that locks a pair for a day after a loss, and keeps the stop of its entry candle in custom data."""

    timeframe = "1h"
    startup_candle_count = 60
    minimal_roi = {"0": 0.12}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["high_2d"] = ta.MAX(dataframe["high"], timeperiod=48)
        dataframe["low_1d"] = ta.MIN(dataframe["low"], timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["high_2d"].shift(1), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def order_filled(self, pair, trade, order, current_time, **kwargs):
        if order.ft_order_side == trade.entry_side and trade.nr_of_successful_entries == 1:
            dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
            trade.set_custom_data("floor", float(dataframe["low_1d"].iloc[-1]))

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        floor = trade.get_custom_data("floor", default=0.0)
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if dataframe["close"].iloc[-1] < floor:
            return "below the floor"
        return None

    def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, current_time, **kwargs):
        if trade.calc_profit_ratio(rate) < 0:
            self.lock_pair(pair, until=current_time + timedelta(days=1), reason="loss")
        return True
