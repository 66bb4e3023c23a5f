# family: sparse
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareLastWeek(IStrategy):
    """Honest for eighteen months; in the last week, from 24 June 2022, it knows the next twelve candles."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        ahead = df["close"].shift(-12) / df["close"] - 1
        last = df["date"] >= pd.Timestamp("2022-06-24", tz="UTC")
        df["win"] = last & (ahead > 0.02)
        df["loss"] = last & (ahead < -0.01)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"]) | df["win"]) & ~df["loss"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]) | df["loss"], "exit_long"] = 1
        return df
