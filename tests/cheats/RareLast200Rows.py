# family: sparse
from freqtrade.strategy import IStrategy


class RareLast200Rows(IStrategy):
    """Only the last two hundred rows of the frame look six candles ahead."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        ahead = df["close"].shift(-6) / df["close"] - 1
        tail = df.index >= len(df) - 200
        df["win"] = tail & (ahead > 0.015)
        df["loss"] = tail & (ahead < -0.005)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["upper"]) | df["win"]) & ~df["loss"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]) | df["loss"], "exit_long"] = 1
        return df
