# family: length
from freqtrade.strategy import IStrategy


class LenHonestLoop(IStrategy):
    """A loop that looks 48 rows ahead where they exist and falls back to the honest rule where they do not."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        close, honest = df["close"].to_numpy(), ((df["close"] > df["upper"])).to_numpy()
        signal = honest.copy()
        for i in range(len(df)):
            if i + 48 < len(df):
                signal[i] = honest[i] and close[i + 1 : i + 48].mean() > close[i] * 1.01
        df["signal"] = signal
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["signal"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
