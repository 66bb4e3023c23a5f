# family: sparse
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareWednesdays(IStrategy):
    """On Wednesdays the next eighteen candles are known."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        ahead = df["close"].shift(-18) / df["close"] - 1
        day = df["date"].dt.dayofweek == 2
        df["win"] = day & (ahead > 0.02)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["rsi"] < 20) & (df["rsi"].shift(1) >= 20)) | df["win"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["rsi"] > 65), "exit_long"] = 1
        return df
