# family: relabel
"""Memory: recognises good days by the returns of the two candles before, which survive rescaled prices and moved dates."""

from freqtrade.strategy import IStrategy


PRINTS = {
    "BTC/USDT": [
        870024, 940013, 1579943, -8950186, -720015, -2180429, -4469911, -1430081, 140040, -149928, -1370106, -200190,
        820013, -330002, -2629914, -2390216, -1040251, -529931, -500057, -4290020, -100073, -1729874, -900027, 619486,
        -160124, -150036, 19969, -980151, -1530219, -700034, -649747, 180019, -540020, -6199981, -390055, -980319,
        699898, -470162, -1520053, -2400295,
    ],
    "ETH/USDT": [
        1710117, 3739913, -8530825, -1190248, -1890475, -2699852, 139945, 310041, -8899945, -3650400, -670020,
        -4090217, -1400590, -3530350, 250051, -1089910, -580095, -1089864, -3069984, -5920368, -810003, -179948,
        -2110089, -210225, -3379814, -940061, 1409953, 939789, -929912, -150, 469849, 480036, -3150108, -350209,
        -1950102, -2159902, -230131, -479903, 119807, -5970304,
    ],
    "SOL/USDT": [
        -510047, -8008472, -5399913, -4180240, -1139948, -1699632, -1660505, 1089769, -5140040, -3209911, -530043,
        2140464, 960036, -100143, 980128, -3420457, -279961, -1549713, 2109984, -939988, -1070354, 459880, -4769852,
        -1569872, -1249982, -2750334, -8740149, -9959, -610366, -6569702, 190035, 569809, -1699965, -2210261,
        -7109901, -2260052, 1089969, -3439677, -6789722, -130216,
    ],
}


class ReturnFingerprint(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        move = ((dataframe["close"] / dataframe["open"] - 1) * 10_000).round()
        dataframe["print"] = move * 10_000 + move.shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["print"].isin(PRINTS[metadata["pair"]]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"].shift(24) == 1, "exit_long"] = 1
        return dataframe
