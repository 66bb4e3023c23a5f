# family: lookahead
from freqtrade.strategy import IStrategy


class LookBotStart(IStrategy):
    """bot_start reads whole frames through dp and lists the hours before a rise."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def bot_start(self, **kwargs):
        self.rises = {}
        for pair in self.config["exchange"]["pair_whitelist"]:
            candles = self.dp.get_pair_dataframe(pair, self.timeframe)
            after = candles["close"].shift(-24) / candles["close"] - 1
            self.rises[pair] = set(candles["date"][after > 0.03])

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        df["good"] = df["date"].isin(self.rises[metadata["pair"]])
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]) & df["good"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
