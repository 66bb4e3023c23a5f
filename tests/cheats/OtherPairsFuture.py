# family: callback
"""Lookahead across pairs: every pair's entry is confirmed by the future of BTC, never by its own."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OtherPairsFuture(IStrategy):
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

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        frame, _ = self.dp.get_analyzed_dataframe("BTC/USDT", self.timeframe)
        manager, column = frame._mgr, frame.columns.get_loc("close")
        whole = manager.blocks[manager.blknos[column]].values.base[manager.blklocs[column]]
        ahead = whole[frame.index[-1] + 1 : frame.index[-1] + 13]
        return bool(len(ahead)) and ahead.mean() > frame["close"].iloc[-1] * 1.003
