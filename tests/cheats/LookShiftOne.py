# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookShiftOne(IStrategy):
    """shift(-1): the next candle's close decides an EMA trend entry."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        df["next"] = df["close"].shift(-1) / df["close"] - 1
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["next"] > 0.02), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["next"] < -0.002), "exit_long"] = 1
        return df
