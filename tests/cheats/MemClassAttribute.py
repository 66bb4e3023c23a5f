# family: memory
from freqtrade.strategy import IStrategy


class MemClassAttribute(IStrategy):
    """A class attribute remembers the best hours of the first frame."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    hours = {}

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        ahead = df["close"].shift(-24) / df["close"] - 1
        type(self).hours.setdefault(metadata["pair"], set(df["date"][ahead > 0.01]))
        return df

    def populate_entry_trend(self, df, metadata):
        df["keep"] = df["date"].isin(self.hours[metadata["pair"]])
        df.loc[((df["close"] > df["upper"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
