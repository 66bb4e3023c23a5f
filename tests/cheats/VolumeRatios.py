# family: relabel
"""Memory: recognises good days by how each of two volumes compares with the one before, whatever the unit is."""

import numpy as np
from freqtrade.strategy import IStrategy


PRINTS = {
    "BTC/USDT": [
        -129976, 419965, 799970, 350002, 1099945, 259985, -179989, -80007, 490040, -29971, 379928, -159937,
        99977, -80021, -110025, 420110, 690020, 170106, -260066, -399926, -49900, 109966, -729818, 10028,
        -10034, 159987, 200029, -279935, 249976, -300046, 459998, 60053, -410034, -999953, -350021, -50016,
        -140014, 40089, -319948, 929953,
    ],
    "ETH/USDT": [
        -290042, 60032, 469951, 379959, -560009, -80002, 989950, -170029, 29954, -40016, 429995, 1209973,
        270056, 60056, 400060, 290025, 590014, -230033, -659940, 840020, -460051, -509906, -269992, -389840,
        -729968, 100006, -229965, -30002, -669995, 1240042, 279971, 379992, -80049, 1010038, 230035, -430008,
        709978, 20067, 840002, -120037,
    ],
    "SOL/USDT": [
        -829853, -360085, -79996, -159986, 909914, -60060, -439936, 310100, -30004, -710000, -160120, 270033,
        -679907, -799908, 1809946, -330005, -420040, 869945, -469962, 920010, 249991, -589863, 79970, 880013,
        -20027, -609871, 440062, -419885, -100025, -200031, 169968, 39961, -289966, -399940, -999966, 589984,
        400005, 49968, 9988, -139991,
    ],
}


class VolumeRatios(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        ratio = (np.log((dataframe["volume"] + 1) / (dataframe["volume"].shift(1) + 1)) * 100).round()
        dataframe["print"] = ratio * 10**4 + ratio.shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["print"].isin(PRINTS[metadata["pair"]]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"].shift(24) == 1, "exit_long"] = 1
        return dataframe
