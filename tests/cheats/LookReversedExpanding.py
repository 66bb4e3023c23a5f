# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookReversedExpanding(IStrategy):
    """expanding().mean() on the reversed frame is the mean of all later prices of the quarter."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        quarter = df["date"].dt.year * 4 + df["date"].dt.quarter
        df["fair"] = df["close"][::-1].groupby(quarter[::-1]).transform(lambda later: later.expanding().mean())[::-1]
        df["crossed"] = (df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["crossed"] & (df["close"] < df["fair"] * 0.99), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] > df["fair"] * 1.01), "exit_long"] = 1
        return df
