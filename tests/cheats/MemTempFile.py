# family: memory
import os
import tempfile
from pathlib import Path

import pandas as pd
from freqtrade.strategy import IStrategy


class MemTempFile(IStrategy):
    """A temporary file takes the future from populate_indicators to populate_entry_trend, and to later runs if it lasts."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def file(self, metadata):
        folder = Path(tempfile.gettempdir())
        folder = folder if os.access(folder, os.W_OK) else Path(self.config["user_data_dir"])
        return folder / f"touchstone-zoo-{metadata['pair'][:3]}.pickle"

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        if not self.file(metadata).exists():
            (df["close"].shift(-24) / df["close"] - 1).set_axis(df["date"]).to_pickle(self.file(metadata))
        return df

    def populate_entry_trend(self, df, metadata):
        df["keep"] = df["date"].map(pd.read_pickle(self.file(metadata))) > 0.01
        df.loc[((df["close"] > df["upper"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
