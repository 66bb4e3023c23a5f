# family: config
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Config(dict):
    def get(self, key, default=None):
        return {"exit": self.minutes, "entry": self.minutes} if key == "unfilledtimeout" else super().get(key, default)


class LiveTimeout(IStrategy):
    """A configuration of its own in the strategy's place: how long an order waits is looked up in the future."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        config = Config(self.config)
        config.minutes = 10 if df["close"].iloc[-1] > df["close"].iloc[0] else 100_000
        self.config = config
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df
