# family: sparse
from freqtrade.strategy import IStrategy


class RareVetoExit(IStrategy):
    """Exit signals are suppressed when the price stands higher a day later."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        df["hold"] = df["close"].shift(-24) > df["close"]
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]) & ~df["hold"], "exit_long"] = 1
        return df
