# family: engine
import sys

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Live(float):
    def __lt__(self, profit):
        trade = sys._getframe(2).f_locals.get("trade")
        now = sys._getframe(1).f_locals.get("current_time")
        return (trade.pair, now) in FALLS


FALLS = set()


class LiveRoi(IStrategy):
    """A float of its own in minimal_roi says yes to an exit where the next hours fall."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        ahead = df["close"].shift(-6) < df["close"] * 0.99
        FALLS.update((metadata["pair"], at) for at in df["date"][ahead].dt.to_pydatetime())
        self.minimal_roi = {0: Live(10)}
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df
