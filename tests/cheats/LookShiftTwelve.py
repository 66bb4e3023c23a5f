# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookShiftTwelve(IStrategy):
    """shift(-12): RSI dips are bought only when the close half a day later is higher."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        df["later"] = df["close"].shift(-12)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["rsi"] < 35) & (df["later"] > df["close"] * 1.02), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["rsi"] > 65), "exit_long"] = 1
        return df
