# family: memory
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemConfirmTable(IStrategy):
    """confirm_trade_entry looks up the next day's return in a table that populate filled."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    table = {}

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        return self.table[pair].get(current_time, 0.0) > 0.01

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = df["close"].shift(-24) / df["open"] - 1
        self.table[metadata["pair"]] = dict(zip(df["date"], ahead, strict=True))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1)), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
