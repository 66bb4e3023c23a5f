# family: files
# needs: files
from pathlib import Path

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class FileDatadir(IStrategy):
    """Reads its own candle file from the configured data directory and looks a day ahead."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def ahead(self, df, pair):
        nothing = pd.Series(float("nan"), index=df.index)
        try:
            candles = pd.read_feather(Path(self.config["datadir"]) / f"{pair.replace('/', '_')}-{self.timeframe}.feather")
        except (OSError, ValueError, StopIteration):
            return nothing
        close = candles.set_index(candles["date"].astype(df["date"].dtype))["close"]
        return df["date"].map(close.shift(-24) / close - 1)

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = self.ahead(df, metadata["pair"])
        df["keep"] = ahead.isna() | (ahead > 0.01)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
