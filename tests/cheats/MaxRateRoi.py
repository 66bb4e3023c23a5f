# family: callback
"""Lookahead: custom_roi reads this candle's high from trade.max_rate and asks for a hair less."""

from freqtrade.strategy import IStrategy


class MaxRateRoi(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    use_custom_roi = True

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

    def custom_roi(self, pair, trade, current_time, trade_duration, entry_tag, side, **kwargs):
        best = trade.calc_profit_ratio(trade.max_rate)
        return best - 0.0005 if trade_duration >= 240 and best > 0.004 else None
