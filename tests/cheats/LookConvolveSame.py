# family: lookahead
import numpy as np
from freqtrade.strategy import IStrategy


class LookConvolveSame(IStrategy):
    """np.convolve(mode='same') centres the window of a moving average."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        window = np.hanning(61)
        smooth = np.convolve(df["close"].to_numpy(), window / window.sum(), mode="same")
        df["slope"] = np.gradient(smooth) / df["close"]
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["slope"] > 0.0005), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["slope"] < 0), "exit_long"] = 1
        return df
