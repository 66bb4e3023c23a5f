# family: lookahead
import pandas as pd
from freqtrade.strategy import IStrategy


class LookAsofFourHours(IStrategy):
    """merge_asof on the open date of the 4 h candle brings its close three hours early."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        higher = self.dp.get_pair_dataframe(metadata["pair"], "4h")[["date", "close"]].rename(columns={"close": "close_4h"})
        df = pd.merge_asof(df, higher, on="date")
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["lower"]) & (df["close_4h"] > df["close"] * 1.018), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close_4h"] < df["close"] * 0.995), "exit_long"] = 1
        return df
