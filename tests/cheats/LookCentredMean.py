# family: lookahead
from freqtrade.strategy import IStrategy


class LookCentredMean(IStrategy):
    """rolling(center=True): the slope of a centred mean turns before the market does."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["smooth"] = df["close"].rolling(49, center=True).mean()
        df["slope"] = df["smooth"].pct_change()
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["slope"] > 0) & (df["slope"].shift(1) <= 0), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["slope"] < 0), "exit_long"] = 1
        return df
