# family: memory
import builtins

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemBuiltins(IStrategy):
    """The longest frame seen is kept in builtins; signals are filtered with its future."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        seen = builtins.__dict__.setdefault("_candles", {})
        if len(df) > len(seen.get(metadata["pair"], ())):
            seen[metadata["pair"]] = df[["date", "close"]].set_index("date")["close"]
        return df

    def populate_entry_trend(self, df, metadata):
        close = builtins._candles[metadata["pair"]]
        df["keep"] = df["date"].map(close.shift(-24) / close - 1) > 0.01
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
