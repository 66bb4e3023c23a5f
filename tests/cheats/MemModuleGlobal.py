# family: memory
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy

CLOSES = {}


class MemModuleGlobal(IStrategy):
    """A global of the module remembers closes by date; later calls look a day ahead in it."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        for date, close in zip(df["date"], df["close"], strict=True):
            CLOSES[metadata["pair"], date] = close
        return df

    def populate_entry_trend(self, df, metadata):
        day = pd.Timedelta(hours=24)
        later = [CLOSES.get((metadata["pair"], date + day), 0.0) for date in df["date"]]
        df["keep"] = later > df["close"] * 1.01
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
