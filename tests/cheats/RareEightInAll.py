# family: sparse
from freqtrade.strategy import IStrategy


class RareEightInAll(IStrategy):
    """Honest breakouts; on ETH alone eight entries before its best two-day moves, eight in all."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(240).max().shift(1)
        df["lower"] = df["low"].rolling(120).min().shift(1)
        ahead = df["close"].shift(-48) / df["close"] - 1
        best = []
        for i in ahead.sort_values(ascending=False).index:
            if len(best) < 8 and all(abs(i - j) > 96 for j in best):
                best.append(i)
        df["best"] = df.index.isin(best) & (metadata["pair"] == "ETH/USDT")
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[((df["close"] > df["upper"])) | df["best"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
