# family: lookahead
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookWeekLast(IStrategy):
    """groupby(week).transform('last'): the week's closing price is known on Monday."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        week = (df["date"] - pd.Timestamp("2020-01-06", tz="UTC")).dt.days // 7
        df["friday"] = df["close"].groupby(week).transform("last")
        df["crossed"] = (df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["crossed"] & (df["friday"] > df["close"] * 1.03), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["friday"] < df["close"] * 0.99), "exit_long"] = 1
        return df
