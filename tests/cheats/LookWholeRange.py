# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookWholeRange(IStrategy):
    """Min-max scaling over the whole column tells where the sample's low and high are."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        df["place"] = (df["close"] - df["close"].min()) / (df["close"].max() - df["close"].min())
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1)) & (df["place"] < 0.7), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]) | (df["place"] > 0.95), "exit_long"] = 1
        return df
