# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookSortDescending(IStrategy):
    """Sorted newest first for a rolling mean, and sorted back."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        newest = df[["date", "close"]].sort_values("date", ascending=False)
        df["mean"] = newest["close"].rolling(12).mean().sort_index()
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["rsi"] < 45) & (df["mean"] > df["close"] * 1.02), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["rsi"] > 65), "exit_long"] = 1
        return df
