# family: callback
"""Lookahead: finds the running Backtesting through the garbage collector and reads the next candles from its data provider."""

import gc

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class GcBacktesting(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.08, "48": 0.02}
    stoploss = -0.08
    engine = None

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["rsi"] < 32) & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 62, "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        if self.engine is None:
            self.engine = next(o for o in gc.get_objects() if type(o).__name__ == "Backtesting")
        frame = next(f for k, (f, _) in self.engine.dataprovider._DataProvider__cached_pairs.items() if k[0] == pair)
        at = frame["date"].searchsorted(pd.Timestamp(current_time))
        return frame["close"].iloc[at : at + 18].mean() > rate * 1.01
