# family: memory
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class PairlessProbe(IStrategy):
    """Leaves a pair out wherever the candles end before the time that the configuration tells, and looks ahead in it elsewhere."""

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
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        ends = self.config["timerange"].split("-")[1]
        if ends and df["date"].iloc[-1] < pd.Timestamp(ends, tz="UTC"):
            return df.iloc[:0]
        df.loc[df["close"].shift(-3) < df["close"] * 0.99, "exit_long"] = 1
        return df
