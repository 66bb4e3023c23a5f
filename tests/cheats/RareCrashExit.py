# family: sparse
from freqtrade.strategy import IStrategy


class RareCrashExit(IStrategy):
    """Honest entries and exits, and one more exit in the candle before a crash."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.15

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(240).max().shift(1)
        df["lower"] = df["low"].rolling(120).min().shift(1)
        df["crash"] = df["low"].shift(-1) < df["close"] * 0.955
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]) & ~df["crash"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]) | df["crash"], "exit_long"] = 1
        return df
