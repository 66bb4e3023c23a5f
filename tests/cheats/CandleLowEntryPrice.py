# family: callback
"""Lookahead: bids the current candle's low, read from the cached frame one row beyond the view."""

import talib.abstract as ta
from freqtrade.enums import CandleType
from freqtrade.strategy import IStrategy


class CandleLowEntryPrice(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        view, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        lows = self.dp._DataProvider__cached_pairs[pair, self.timeframe, CandleType.SPOT][0]["low"]
        return lows.get(view.index[-1] + 1, proposed_rate)
