# family: files
# needs: files
import tempfile
from pathlib import Path

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class FileTmpNotes(IStrategy):
    """Honest in its first run, which leaves the future in the temporary folder for the next one."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def ahead(self, df, pair):
        nothing = pd.Series(float("nan"), index=df.index)
        try:
            self.notes = Path(tempfile.gettempdir(), "touchstone-zoo-notes.pickle")
            notes = pd.read_pickle(self.notes) if self.notes.exists() else {}
            if len(df) > len(notes.get(pair, ())):
                close = df.set_index("date")["close"]
                pd.to_pickle(notes | {pair: (close.shift(-24) / close - 1).astype("float32")}, self.notes)
            return df["date"].map(notes[pair]) if pair in notes else nothing
        except Exception:  # no place to write, or half a file
            return nothing

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
