# family: relabel
"""Memory: price bins of one per cent with a positive next day in this history, as a string of ones and zeros per pair."""

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


BINS = {
    "BTC/USDT": "978:1011110100110001000000000000000000000000000000001111100100011111111110000110110000000"
    "100001011000010100000010001111000000000000000000000",
    "ETH/USDT": "657:1110011111010111000010011101111111111111100111111111000000000100000000101101110011000"
    "01011110000011100011111011011001110000011011010100000110011100000000000000000011110100011000000000000000000",
    "SOL/USDT": "43:10111111100111111000101111111111111001100001100000000001011101101111111111110110001000"
    "00011100001101111011110100001111011110101111011111111011111110000000110111111111111111111011001011111111111100"
    "00100111111110011111010011110000000101000100110011111111111101001111111111111111101111111111111101100100001011"
    "10000000111110100001011111010010000100000010010100010000001001010111101110000010101000001111111111110100001011"
    "0001001010001000100000000111111110001011000001110100000100000101110110000000100000010000000000000",
}


class PriceBins(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        first, table = BINS[metadata["pair"]].split(":")
        bins = (np.log(dataframe["close"]) * 100).astype(int) - int(first)
        table = np.array([int(char) for char in table])
        dataframe["enter_long"] = np.where(bins.between(0, len(table) - 1), table[bins.clip(0, len(table) - 1)], 0)
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"] != 1, "exit_long"] = 1
        return dataframe
