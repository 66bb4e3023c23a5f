# family: sparse
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareWildHours(IStrategy):
    """Only when the last day was wild does the entry ask whether the next six candles rise."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        wild = df["atr"] / df["close"] > (df["atr"] / df["close"]).rolling(96).mean() * 1.25
        ahead = df["close"].shift(-6) / df["close"] - 1
        df["win"] = wild & (ahead > 0.025)
        df["loss"] = wild & (ahead < 0)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"]) | df["win"]) & ~df["loss"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
