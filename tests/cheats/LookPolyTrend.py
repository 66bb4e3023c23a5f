# family: lookahead
import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookPolyTrend(IStrategy):
    """The trend line is a polynomial fitted to the whole sample."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.2

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        x = np.arange(len(df))
        trend = np.polynomial.Polynomial.fit(x, np.log(df["close"]), 120)
        df["off"] = np.log(df["close"]) - trend(x)
        df["rising"] = trend.deriv()(x) > 0
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["rsi"] < 55) & df["rising"] & (df["off"] < 0.03), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[~df["rising"], "exit_long"] = 1
        return df
