# family: relabel
"""Memory: buys at and sells above price levels that only this history knows, per pair."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


LEVELS = {
    "BTC/USDT": [
        [28995.0, 41454.0], [31580.0, 39877.0], [29528.0, 38250.0], [32302.0, 58184.0], [43119.0, 61648.0],
        [50996.0, 64577.0], [47599.0, 59357.0],
    ],
    "ETH/USDT": [
        [734.07, 1344.7], [963.55, 1429.6], [1066.5, 2028.8], [1318.2, 4332.8], [2365.2, 2852.6], [2230.9, 2904.2],
        [1848.1, 2890.6],
    ],
    "SOL/USDT": [
        [1.5442, 4.1199], [2.7281, 17.659], [11.521, 58.159], [35.49, 48.398], [21.501, 43.964], [21.005, 37.85],
        [22.256, 212.62],
    ],
}


class PriceLevels(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        for low, _ in LEVELS[metadata["pair"]]:
            dataframe.loc[(dataframe["close"] < low * 1.015) & (dataframe["close"] > low * 0.985), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        for _, high in LEVELS[metadata["pair"]]:
            dataframe.loc[(dataframe["close"] > high * 0.985) & (dataframe["close"] < high * 1.015), "exit_long"] = 1
        return dataframe
