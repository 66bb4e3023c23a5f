# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookTargetTable(IStrategy):
    """A table of mean future returns by hour of the week and RSI bin, filled from the sample that it trades."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        ahead = df["close"].shift(-8) / df["close"] - 1
        cell = df["date"].dt.dayofweek * 2400 + df["date"].dt.hour * 100 + (df["rsi"] // 12).fillna(0)
        df["expected"] = ahead.groupby(cell).transform("mean")
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["expected"] > 0.01), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["expected"] < -0.004), "exit_long"] = 1
        return df
