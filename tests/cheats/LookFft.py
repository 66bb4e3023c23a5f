# family: lookahead
import numpy as np
from freqtrade.strategy import IStrategy


class LookFft(IStrategy):
    """A low-pass filter by FFT over the whole series."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        x = np.log(df["close"].to_numpy())
        line = np.linspace(x[0], x[-1], len(x))
        waves = np.fft.rfft(x - line)
        waves[len(x) // 60 :] = 0
        df["slope"] = np.gradient(np.fft.irfft(waves, len(x)) + line)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["slope"] > 0) & (df["slope"].shift(1) <= 0), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["slope"] < 0), "exit_long"] = 1
        return df
