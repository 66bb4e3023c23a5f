# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookReversedCummin(IStrategy):
    """The reversed cummin of the month says which low is not undercut any more."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        month = df["date"].dt.year * 12 + df["date"].dt.month
        floor = df["low"][::-1].groupby(month[::-1]).cummin()[::-1]
        roof = df["high"][::-1].groupby(month[::-1]).cummax()[::-1]
        df["safe"] = df["close"] < floor * 1.02
        df["spent"] = df["close"] > roof * 0.98
        df["room"] = roof / df["close"]
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["rsi"] < 50) & df["safe"] & (df["room"] > 1.04), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["spent"], "exit_long"] = 1
        return df
