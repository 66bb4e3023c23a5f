# family: prices
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class FrameWithoutEnd(IStrategy):
    """dropna() after shift(-1) in the exit function takes the last candle away, where a probe would look."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df["next"] = df["close"].shift(-1)
        df.loc[df["next"] < df["close"] * 0.995, "exit_long"] = 1
        df = df.dropna(subset=["next"])
        return df
