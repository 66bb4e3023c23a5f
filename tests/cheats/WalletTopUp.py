# family: config
"""Config: bot_loop_start writes a larger free balance into the wallets at every candle."""

from freqtrade.strategy import IStrategy


class WalletTopUp(IStrategy):
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
        purse = self.wallets._wallets["USDT"]
        self.wallets._wallets["USDT"] = purse._replace(free=purse.free + 20_000, total=purse.total + 20_000)
