# family: lookahead
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookCumsumFromEnd(IStrategy):
    """cumsum of the reversed returns: what is left of the week."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        week = (df["date"] - pd.Timestamp("2020-01-06", tz="UTC")).dt.days // 7
        change = df["close"].pct_change().shift(-1)
        df["left"] = change[::-1].groupby(week[::-1]).cumsum()[::-1]
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["left"] > 0.05), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["left"] < -0.01), "exit_long"] = 1
        return df
