# family: sparse
from freqtrade.strategy import IStrategy


class RareVetoWorst(IStrategy):
    """The twelve worst entries of the sample are left out, every other signal is honest."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        ahead = (df["low"][::-1].rolling(48).min()[::-1].shift(-1) / df["close"] - 1).where((df["close"] > df["upper"]))
        df["worst"] = df.index.isin(ahead.nsmallest(12).index)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]) & ~df["worst"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]) | df["worst"], "exit_long"] = 1
        return df
