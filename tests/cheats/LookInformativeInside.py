# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative


class LookInformativeInside(IStrategy):
    """The lookahead sits in the 4 h informative, before its honest merge."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    @informative("4h")
    def populate_indicators_4h(self, df, metadata):
        df["next"] = df["close"].shift(-3) / df["close"] - 1
        return df

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["rsi"] < 50) & (df["next_4h"] > 0.02), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["next_4h"] < -0.01), "exit_long"] = 1
        return df
