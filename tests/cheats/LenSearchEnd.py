# family: length
from freqtrade.strategy import IStrategy


class LenSearchEnd(IStrategy):
    """Filters by the future when the frame ends exactly where the search ends."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        ahead = df["close"].shift(-12) / df["close"] - 1
        df["keep"] = True
        if df["date"].iloc[-1].strftime("%m-%d %H") in ("06-30 23", "07-01 00"):
            df["keep"] = ahead > 0.01
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["upper"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
