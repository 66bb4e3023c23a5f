# family: prices
"""Changed prices after the populate functions: bot_loop_start rewrites the opens in FreqTrade's own candle lists."""

import sys

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RowRewrite(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07
    done = False

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

    def bot_loop_start(self, current_time, **kwargs):
        if self.done:
            return
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_name != "backtest":
            frame = frame.f_back
        for rows in frame.f_locals["data"].values() if frame else ():
            for row in rows:
                if row[5] == 1:
                    row[1] = row[3] + 0.2 * (row[1] - row[3])
        self.done = True
