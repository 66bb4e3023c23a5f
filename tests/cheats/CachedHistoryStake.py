# family: callback
"""Lookahead: the stake is large when the data provider's cache of raw candles says that the next day is good."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class CachedHistoryStake(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07

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

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):
        self.dp.get_pair_dataframe(pair, self.timeframe)
        cache = self.dp._DataProvider__cached_pairs_backtesting
        frame = next(frame for key, frame in cache.items() if key[0] == pair and key[1] == self.timeframe)
        at = frame["date"].searchsorted(pd.Timestamp(current_time))
        later = frame["close"].iloc[at + 23 : at + 24]
        good = len(later) and later.iloc[0] > current_rate * 1.015
        return max_stake if good else max(min_stake * 1.1, proposed_stake * 0.02)
