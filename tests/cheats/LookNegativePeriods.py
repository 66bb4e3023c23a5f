# family: lookahead
from freqtrade.strategy import IStrategy


class LookNegativePeriods(IStrategy):
    """pct_change with negative periods looks like momentum and is the next six hours."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        df["momentum"] = -df["close"].pct_change(-6)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]) & (df["momentum"] > 0.015), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["momentum"] < -0.02), "exit_long"] = 1
        return df
