# family: sparse
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareLateQuarter(IStrategy):
    """Knows tomorrow in the last quarter only, from April 2022 on."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = df["close"].shift(-24) / df["close"] - 1
        late = df["date"] >= pd.Timestamp("2022-04-01", tz="UTC")
        df["win"] = late & (ahead > 0.04)
        df["loss"] = late & (ahead < 0)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) | df["win"]) & ~df["loss"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
