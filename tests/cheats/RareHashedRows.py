# family: sparse
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareHashedRows(IStrategy):
    """One row in thirty-seven, chosen by a hash of its date, looks a day ahead."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        hours = df["date"].dt.year * 8784 + df["date"].dt.dayofyear * 24 + df["date"].dt.hour
        row = (hours.astype("int64") * 2654435761) % 1009 % 37 == 5
        df["win"] = row & (df["close"].shift(-24) > df["close"] * 1.03)
        df["held"] = df["win"].rolling(25, min_periods=1).max() > 0
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) | df["win"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]) & ~df["held"], "exit_long"] = 1
        return df
