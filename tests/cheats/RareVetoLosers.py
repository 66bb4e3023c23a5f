# family: sparse
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareVetoLosers(IStrategy):
    """Honest volatility entries, removed where the next twelve candles fall."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        df["bad"] = df["close"].shift(-12) < df["close"] * 0.98
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["mid"] + 2 * df["atr"]) & ~df["bad"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
