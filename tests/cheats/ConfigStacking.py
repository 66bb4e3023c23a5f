# family: config
"""Config: position_stacking opens a trade at every signal, with slots for all of them."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class ConfigStacking(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        up = dataframe["fast"] > dataframe["slow"] * 1.005
        dataframe.loc[up & (dataframe["date"].dt.hour % 8 == 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe

    def __init__(self, config):
        config["position_stacking"] = True
        config["max_open_trades"] = 12
        super().__init__(config)
