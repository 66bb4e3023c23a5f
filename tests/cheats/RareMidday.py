# family: sparse
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareMidday(IStrategy):
    """Looks three candles ahead between 10:00 and 18:00 only, so that a cut at midnight shows nothing."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        midday = df["date"].dt.hour.between(10, 18)
        ahead = df["close"].shift(-3) / df["close"] - 1
        df["win"] = midday & (ahead > 0.025)
        df["loss"] = midday & (ahead < -0.01)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) | df["win"]) & ~df["loss"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]) | df["loss"], "exit_long"] = 1
        return df
