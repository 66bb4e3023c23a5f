# family: callback
"""Lookahead: confirm_trade_entry reads the close of the unfinished daily candle of today."""

from freqtrade.strategy import IStrategy


class TodaysDailyCandle(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        day = self.dp.historic_ohlcv(pair, "1d")
        today = day.loc[day["date"] <= current_time].tail(1)
        return bool(len(today)) and today["close"].iloc[0] > rate * 1.005
