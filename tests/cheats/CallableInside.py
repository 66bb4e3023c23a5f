# family: engine
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Exits:
    def __init__(self, strategy):
        self.asked = type(strategy).should_exit.__get__(strategy)

    def __call__(self, trade, rate, *args, **kwargs):
        found = self.asked(trade, rate, *args, **kwargs)
        return found if kwargs["high"] < rate * 1.01 else []


class CallableInside(IStrategy):
    """An object that can be called in the place of should_exit: no function, so nobody looked."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        self.should_exit = Exits(self)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df
