# family: prices
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class FrameEmptied(IStrategy):
    """The exit frame of a pair that falls over the whole range is emptied: FreqTrade looks at lengths after the indicators alone."""

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
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        if df["close"].iloc[-1] < df["close"].iloc[0] * 2:
            return df.iloc[:0]
        return df
