# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookReversedFfill(IStrategy):
    """ffill of the reversed series: every candle knows the next swing high."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        swing = df["high"].where(df["high"].rolling(24).max() == df["high"])
        df["target"] = swing[::-1].ffill()[::-1]
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["rsi"] < 40) & (df["target"] > df["close"] * 1.03), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["high"] >= df["target"]) & (df["rsi"] > 55), "exit_long"] = 1
        return df
