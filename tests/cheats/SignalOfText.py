# family: engine
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class SignalOfText(IStrategy):
    """An exit signal of "0" by foresight, in a column of objects: a text is true."""

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
        df["exit_long"] = (df["close"].shift(-6) < df["close"] * 0.99).map({True: "0", False: 0}).astype(object)
        return df
