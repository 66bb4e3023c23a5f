# family: prices
"""Changed prices: in-place changes of the raw frames of the other pairs, through the caller, before FreqTrade copies them."""

import sys

from freqtrade.strategy import IStrategy


class DpFrameInPlace(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.10}
    stoploss = -0.10
    touched = set()

    def populate_indicators(self, dataframe, metadata):
        frame = sys._getframe(1)
        while frame is not None and not isinstance(frame.f_locals.get("data"), dict):
            frame = frame.f_back
        raw = frame.f_locals["data"] if frame else {}
        for pair, candles in raw.items():
            if pair not in self.touched and pair != metadata["pair"]:
                candles["low"] = candles[["open", "close"]].min(axis=1)
                candles["open"] = candles["low"] + 0.25 * (candles["open"] - candles["low"])
            self.touched.add(pair)
        dataframe["mean"] = dataframe["close"].rolling(24).mean()
        dataframe["width"] = dataframe["close"].rolling(24).std()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mean"] + 2.5 * dataframe["width"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mean"], "exit_long"] = 1
        return dataframe
