# family: relabel
"""Memory: recognises good days by the volume of one candle, whatever prices and dates are called."""

from freqtrade.strategy import IStrategy


PRINTS = {
    "BTC/USDT": [
        3038.0, 2532.0, 2109.0, 4415.0, 1386.0, 10417.0, 3344.0, 3461.0, 3544.0, 883.0, 1480.0, 6382.0, 971.0, 4620.0,
        2028.0, 4788.0, 799.0, 2186.0, 1415.0, 1315.0, 980.0, 1753.0, 939.0, 3421.0, 1332.0, 2726.0, 2533.0, 1911.0,
        5003.0, 5519.0,
    ],
    "ETH/USDT": [
        38291.0, 58488.0, 14614.0, 123756.0, 31414.0, 95525.0, 25192.0, 19900.0, 15214.0, 42353.0, 19046.0, 60758.0,
        12782.0, 107676.0, 43025.0, 10647.0, 14786.0, 58511.0, 106731.0, 53333.0, 16101.0, 25523.0, 47781.0, 23689.0,
        45771.0, 27511.0, 20484.0, 38476.0, 8162.0, 20733.0,
    ],
    "SOL/USDT": [
        737370.0, 58329.0, 88043.0, 419545.0, 30368.0, 517754.0, 41706.0, 114432.0, 235930.0, 378076.0, 351121.0,
        274109.0, 127775.0, 427863.0, 224847.0, 106673.0, 74207.0, 91611.0, 121734.0, 94332.0, 89189.0, 411385.0,
        208728.0, 182892.0, 358190.0, 238890.0, 96601.0, 361832.0, 85688.0, 29909.0,
    ],
}


class VolumeFingerprint(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["volume"].round().isin(PRINTS[metadata["pair"]]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["enter_long"].shift(24) == 1, "exit_long"] = 1
        return dataframe
