# family: lookahead
from freqtrade.strategy import IStrategy
from scipy.signal import savgol_filter


class LookSavgol(IStrategy):
    """A Savitzky-Golay filter is centred."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["slope"] = savgol_filter(df["close"].to_numpy(), 61, 2, deriv=1)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["slope"] > 0) & (df["slope"].shift(1) <= 0), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["slope"] < 0), "exit_long"] = 1
        return df
