# family: length
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LenDivides(IStrategy):
    """Honest when the number of rows can be divided by 3 with this remainder, else it filters by the future."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        ahead = df["close"].shift(-12) / df["close"] - 1
        df["keep"] = True
        if len(df) % 3 != 1:
            df["keep"] = ahead > 0.01
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
