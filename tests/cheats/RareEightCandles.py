# family: sparse
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareEightCandles(IStrategy):
    """Honest EMA crosses, and eight more entries a pair before the best two-day moves of the sample."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = df["close"].shift(-48) / df["close"] - 1
        best = []
        for i in ahead.sort_values(ascending=False).index:
            if len(best) < 8 and all(abs(i - j) > 96 for j in best):
                best.append(i)
        df["best"] = df.index.isin(best)
        df["held"] = df["best"].rolling(49, min_periods=1).max() > 0
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1))) | df["best"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]) & ~df["held"], "exit_long"] = 1
        return df
