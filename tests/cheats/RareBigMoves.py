# family: sparse
from freqtrade.strategy import IStrategy


class RareBigMoves(IStrategy):
    """An entry two candles before each rise of more than nine per cent in twelve hours."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        rise = df["close"].shift(-14) / df["close"].shift(-2) - 1
        df["win"] = (rise > 0.09) & (rise.shift(1) <= 0.09)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["upper"])) | df["win"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
