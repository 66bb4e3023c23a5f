# family: memory
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class MemExitTable(IStrategy):
    """custom_exit sells when the table from populate says that the next six hours fall."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    table = {}

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "tired" if self.table[pair].get(current_time, 0.0) < -0.02 else None

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        ahead = df["close"].shift(-6) / df["open"] - 1
        self.table[metadata["pair"]] = dict(zip(df["date"], ahead, strict=True))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["mid"] + 2 * df["atr"]), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
