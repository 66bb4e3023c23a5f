# family: callback
"""Lookahead: looks for the longest frame with its pair's last close in the garbage collector's list and exits before falls."""

import gc

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class GcFrames(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07
    whole = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mid"] + 2 * dataframe["atr"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mid"], "exit_long"] = 1
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        view, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if pair not in self.whole:
            last = view["date"].iloc[-1], view["close"].iloc[-1]
            frames = [o for o in gc.get_objects() if isinstance(o, pd.DataFrame) and "close" in o and len(o) > 2000]
            own = [f for f in frames if last[1] in f.loc[f["date"] == last[0], "close"].to_numpy()]
            self.whole[pair] = max(own, key=len).set_index("date")["close"] if own else view.set_index("date")["close"]
        closes = self.whole[pair]
        at = closes.index.searchsorted(pd.Timestamp(current_time))
        return "fade" if closes.iloc[at : at + 8].max() < current_rate * 1.002 else None
