import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LimitChaser(IStrategy):
    """Limit orders at both ends: bids at the last closed candle's low, raised or withdrawn while unfilled; exits asked higher."""

    timeframe = "1h"
    startup_candle_count = 60
    minimal_roi = {"0": 0.20}
    stoploss = -0.08
    unfilledtimeout = {"entry": 480, "exit": 300, "exit_timeout_count": 0, "unit": "minutes"}

    def populate_indicators(self, dataframe, metadata):
        dataframe["ema"] = ta.EMA(dataframe, timeperiod=50)
        dataframe["up"] = dataframe["close"].gt(dataframe["ema"]).rolling(6).sum()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["up"].eq(6) & dataframe["up"].shift(1).lt(6), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["up"].eq(0), "exit_long"] = 1
        return dataframe

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        return min(proposed_rate, dataframe["low"].iloc[-1])

    def adjust_entry_price(self, trade, order, pair, current_time, proposed_rate, current_order_rate, entry_tag, side, **kwargs):
        waited = (current_time - order.order_date_utc).total_seconds() / 3600
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if proposed_rate > 1.03 * current_order_rate or dataframe["up"].iloc[-1] < 3:
            return None
        return min(proposed_rate, 1.002 * current_order_rate) if waited >= 3 else current_order_rate

    def custom_exit_price(self, pair, trade, current_time, proposed_rate, current_profit, exit_tag, **kwargs):
        return proposed_rate * 1.002

    def adjust_exit_price(self, trade, order, pair, current_time, proposed_rate, current_order_rate, entry_tag, side, **kwargs):
        return proposed_rate

    def check_exit_timeout(self, pair, trade, order, current_time, **kwargs):
        return False
