# family: engine
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Answer:
    def __init__(self, truth):
        self.truth = truth

    def __bool__(self):
        return self.truth

    def __repr__(self):
        return "None"


class LiveAnswer(IStrategy):
    """custom_exit answers an object whose truth knows the next hours, and whose printed form is always the same."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        self.kept = {**getattr(self, "kept", {}), metadata["pair"]: dict(zip(df["date"].dt.to_pydatetime(), df["close"].shift(-6) < df["close"] * 0.99, strict=True))}
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return Answer(bool(self.kept[pair].get(current_time)))
