# family: memory
import numpy as np
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemAttrs(IStrategy):
    """dataframe.attrs carries the coming day, packed in bits, past every check of columns."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        df.attrs["id"] = np.packbits(df["close"].shift(-24) > df["close"] * 1.01).tobytes()
        df.attrs["from"] = str(df["date"].iloc[0])
        return df

    def populate_entry_trend(self, df, metadata):
        bits = np.unpackbits(np.frombuffer(df.attrs["id"], dtype=np.uint8)).astype(bool)
        skip = int((df["date"].iloc[0] - pd.Timestamp(df.attrs["from"])) / pd.Timedelta(self.timeframe))
        df["keep"] = bits[skip : skip + len(df)]
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
