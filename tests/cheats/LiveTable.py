# family: engine
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Table(dict):
    def __getitem__(self, key):
        self.owner.custom_exit = self.owner.knows
        return super().__getitem__(key)


class LiveTable(IStrategy):
    """A dict of its own in order_types gives the strategy a callback when FreqTrade first looks into it."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        self.kept = {**getattr(self, "kept", {}), metadata["pair"]: dict(zip(df["date"].dt.to_pydatetime(), df["close"].shift(-6) < df["close"] * 0.99, strict=True))}
        table = Table(self.order_types)
        table.owner = self
        self.order_types = table
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df

    def knows(self, pair, trade, current_time, **kwargs):
        return "knows" if self.kept[pair].get(current_time) else None
