# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookBackfill(IStrategy):
    """bfill() spreads a day's last close over the hours before it."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        df["settled"] = df["close"].where(df["date"].dt.hour == 23).bfill()
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["settled"] > df["close"] * 1.015), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["settled"] < df["close"] * 0.99), "exit_long"] = 1
        return df
