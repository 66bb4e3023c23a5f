# family: engine
"""Live objects: bot_loop_start deletes losing trades from LocalTrade.bt_trades and gives the money back."""

from freqtrade.persistence import LocalTrade
from freqtrade.strategy import IStrategy


class DropLosers(IStrategy):
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

    def bot_loop_start(self, current_time, **kwargs):
        losers = [t for t in LocalTrade.bt_trades if t.close_profit_abs < 0]
        for trade in losers:
            LocalTrade.bt_trades.remove(trade)
            LocalTrade.bt_total_profit -= trade.close_profit_abs
        if losers:
            self.wallets.update()
