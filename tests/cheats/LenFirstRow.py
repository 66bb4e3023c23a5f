# family: length
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LenFirstRow(IStrategy):
    """Filters by the future when the first row is that of the known search range."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        ahead = df["close"].shift(-12) / df["close"] - 1
        df["keep"] = True
        if df["date"].iloc[0] <= pd.Timestamp("2021-01-01", tz="UTC"):
            df["keep"] = ahead > 0.01
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
