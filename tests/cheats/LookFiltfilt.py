# family: lookahead
import numpy as np
from freqtrade.strategy import IStrategy
from scipy.signal import butter, filtfilt


class LookFiltfilt(IStrategy):
    """filtfilt runs the Butterworth filter forwards and backwards: no lag, because it uses the future."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        b, a = butter(2, 1 / 30)
        df["slope"] = np.gradient(filtfilt(b, a, df["close"].to_numpy()))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["slope"] > 0) & (df["slope"].shift(1) <= 0), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["slope"] < 0), "exit_long"] = 1
        return df
