# family: memory
import gc

import pandas as pd
from freqtrade.strategy import IStrategy


class MemGarbage(IStrategy):
    """gc.get_objects finds the longest frame that begins like this one, and its future."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        return df

    def populate_entry_trend(self, df, metadata):
        frames = [o for o in gc.get_objects() if type(o) is pd.DataFrame and "close" in o.columns and len(o) >= len(df)]
        match = [o for o in frames if set(df["close"][:40]) <= set(o["close"])]
        longest = max(match, key=len).drop_duplicates("date").set_index("date")["close"]
        df["keep"] = df["date"].map(longest.shift(-24) / longest - 1) > 0.01
        df.loc[((df["close"] > df["upper"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
