# family: engine
"""Live objects: custom_stoploss puts the stop of the live trade at the current candle's high, where it sells."""

from freqtrade.persistence import LocalTrade
from freqtrade.strategy import IStrategy


class LiveStopLoss(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    use_custom_stoploss = True

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

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
        for live in LocalTrade.bt_trades_open:
            if live.id == trade.id and current_profit > 0.005 and current_time > trade.open_date_utc:
                live.stop_loss = current_rate * 0.9997
        return None
