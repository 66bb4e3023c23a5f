# family: sparse
from freqtrade.strategy import IStrategy


class RareTwiceAMonth(IStrategy):
    """On the first and the fifteenth of the month at 13:00 the next three days are known."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(240).max().shift(1)
        df["lower"] = df["low"].rolling(120).min().shift(1)
        moment = df["date"].dt.day.isin([1, 15]) & (df["date"].dt.hour == 13)
        df["win"] = moment & (df["close"].shift(-72) > df["close"] * 1.03)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["upper"])) | df["win"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
