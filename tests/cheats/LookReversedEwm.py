# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookReversedEwm(IStrategy):
    """ewm on the reversed series weighs the coming candles."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        df["pull"] = df["close"][::-1].ewm(span=24).mean()[::-1] / df["close"] - 1
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["mid"]) & (df["pull"] > 0.025), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["pull"] < -0.01), "exit_long"] = 1
        return df
