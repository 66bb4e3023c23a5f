# family: lookahead
from freqtrade.strategy import IStrategy


class LookInterpolate(IStrategy):
    """interpolate() draws lines to closes that have not happened."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["line"] = df["close"].where(df.index % 36 == 0).interpolate()
        df["slope"] = df["line"].pct_change()
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["slope"] > 0.0006), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["slope"] < 0), "exit_long"] = 1
        return df
