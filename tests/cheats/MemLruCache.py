# family: memory
from functools import lru_cache

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemLruCache(IStrategy):
    """lru_cache keeps the answer of the first call, made when the frame was whole."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    @lru_cache  # noqa: B019
    def ahead(self, pair):
        close = self.frame.set_index("date")["close"]
        return close.shift(-12) / close - 1

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        self.frame = df
        self.ahead(metadata["pair"])
        return df

    def populate_entry_trend(self, df, metadata):
        df["keep"] = df["date"].map(self.ahead(metadata["pair"])) > 0.01
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
