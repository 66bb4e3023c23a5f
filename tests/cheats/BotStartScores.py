# family: callback
"""Lookahead: bot_start sees all candles and stores which days end well; stakes follow the table."""

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class BotStartScores(IStrategy):
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

    def bot_start(self, **kwargs):
        self.score = {}
        for pair in self.dp.current_whitelist():
            day = self.dp.historic_ohlcv(pair, "1d").set_index("date")
            self.score[pair] = (day["close"] > day["open"] * 1.02).to_dict()

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):
        good = self.score[pair].get(pd.Timestamp(current_time).normalize(), False)
        return proposed_stake if good else max(min_stake * 1.1, proposed_stake * 0.03)
