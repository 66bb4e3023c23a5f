# family: memory
import sys
import types

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemSysModules(IStrategy):
    """An invented module in sys.modules remembers the future under an innocent name."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        module = sys.modules.setdefault("_calendar_tables", types.ModuleType("_calendar_tables"))
        vars(module).setdefault(metadata["pair"], dict(zip(df["date"], df["close"].shift(-24), strict=True)))
        return df

    def populate_entry_trend(self, df, metadata):
        df["keep"] = df["date"].map(vars(sys.modules["_calendar_tables"])[metadata["pair"]]) > df["close"] * 1.01
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
