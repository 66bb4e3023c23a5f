# family: memory
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemStopTable(IStrategy):
    """custom_stoploss tightens when the table from populate knows of a coming fall."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    use_custom_stoploss = True
    table = {}

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
        return -0.003 if self.table[pair].get(current_time, 0.0) < -0.02 else None

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = df["close"].shift(-4) / df["open"] - 1
        self.table[metadata["pair"]] = dict(zip(df["date"], ahead, strict=True))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1)), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
