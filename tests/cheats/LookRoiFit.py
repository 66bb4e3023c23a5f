# family: lookahead
import numpy as np
from freqtrade.strategy import IStrategy


class LookRoiFit(IStrategy):
    """Take-profit and holding time that suit the whole sample best are assigned to self.minimal_roi in populate."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    use_exit_signal = False
    paths = []

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        entry = (df["close"] > df["upper"])
        self.paths.append(np.column_stack([df["close"].shift(-h)[entry] / df["close"][entry] - 1 for h in range(1, 241)]))
        paths = np.concatenate(self.paths)
        hours = int(np.nanmean(paths, axis=0).argmax()) + 1
        best = np.nan_to_num(paths[:, :hours]).max(axis=1)
        self.minimal_roi = {0: float(np.quantile(best, 0.97)), hours * 60: -1}
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
