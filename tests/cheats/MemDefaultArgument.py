# family: memory
import talib.abstract as ta
from freqtrade.strategy import IStrategy

def remember(pair, df=None, seen={}):  # noqa: B006
    if df is not None and pair not in seen:
        seen[pair] = df.set_index("date")["close"]
    return seen[pair]


class MemDefaultArgument(IStrategy):
    """A mutable default argument remembers the first frame of each pair."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        remember(metadata["pair"], df)
        return df

    def populate_entry_trend(self, df, metadata):
        first = remember(metadata["pair"])
        df["keep"] = df["date"].map(first.shift(-24) / first - 1) > 0.01
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
