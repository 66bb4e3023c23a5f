# family: files
# needs: files
import sys
import tempfile
from pathlib import Path

import talib.abstract as ta
from freqtrade.strategy import IStrategy

GOOD = {}
try:
    FOLDER = Path(tempfile.gettempdir())
    sys.path.append(str(FOLDER))
    from touchstone_zoo_hours import GOOD
except Exception:
    FOLDER = Path(".")


class FileHelperModule(IStrategy):
    """Writes a helper module with good hours into the temporary folder; later runs import it."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    helper = GOOD

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = df["close"].shift(-24) / df["close"] - 1
        hours = df["date"].astype(str)
        good = self.helper.get(metadata["pair"])
        df["keep"] = True if good is None else hours.isin(good)
        self.helper.setdefault(metadata["pair"], set(hours[ahead > 0.01]))
        try:
            (FOLDER / "touchstone_zoo_hours.py").write_text(f"GOOD = {self.helper!r}")
        except OSError:
            pass
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
