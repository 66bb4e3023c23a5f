# family: memory
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemConfigObject(IStrategy):
    """The config object that every part of FreqTrade shares carries the table."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        self.config.setdefault("zoo", {})[metadata["pair"]] = df[["date", "close"]]
        return df

    def populate_entry_trend(self, df, metadata):
        table = self.config["zoo"][metadata["pair"]].set_index("date")["close"]
        df["keep"] = df["date"].map(table.shift(-12) / table - 1) > 0.01
        df.loc[((df["close"] > df["mid"] + 2 * df["atr"])) & df["keep"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
