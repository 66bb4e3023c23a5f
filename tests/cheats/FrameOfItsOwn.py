# family: prices
import talib.abstract as ta
import pandas as pd
from freqtrade.strategy import IStrategy


class Two(pd.DataFrame):
    def copy(self, deep=True):
        made = pd.DataFrame(self, copy=True)
        made["exit_long"] = (made["close"].shift(-6) < made["close"]).astype(int)
        return made


class FrameOfItsOwn(IStrategy):
    """A frame of a class of its own, which shows FreqTrade other signals than whoever looks first."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        df = Two(df)
        return df
