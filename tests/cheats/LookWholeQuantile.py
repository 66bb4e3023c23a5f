# family: lookahead
from freqtrade.strategy import IStrategy


class LookWholeQuantile(IStrategy):
    """Volatility and volume are judged by quantiles of the whole column."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.15

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(240).max().shift(1)
        df["lower"] = df["low"].rolling(120).min().shift(1)
        df["range"] = (df["high"].rolling(24).max() / df["low"].rolling(24).min() - 1)
        df["cheap"] = df["close"] < df["close"].quantile(0.75)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]) & df["cheap"] & (df["range"] > df["range"].quantile(0.05)), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
