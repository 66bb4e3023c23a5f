# family: lookahead
import numpy as np
from freqtrade.strategy import IStrategy


class LookHilbert(IStrategy):
    """The phase of a band-passed Hilbert transform over the whole series names the troughs."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        waves = np.fft.fft(np.log(df["close"].to_numpy()))
        n = len(waves)
        waves[: n // 300] = waves[n // 40 :] = 0
        df["phase"] = np.angle(np.fft.ifft(2 * waves))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["phase"] < -2.4), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["phase"].abs() < 0.5), "exit_long"] = 1
        return df
