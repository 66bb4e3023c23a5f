# family: length
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LenCountedFromEnd(IStrategy):
    """Rows are counted from the end: in each block of thirty the last eight, near which a cut would look, are honest."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = df["close"].shift(-12) / df["close"] - 1
        place = (len(df) - 1 - df.index) % 30
        df["keep"] = (place < 8) | (ahead > 0.01)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
