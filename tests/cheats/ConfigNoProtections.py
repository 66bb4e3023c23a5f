# family: config
"""Config: declares protections, then switches them off in the config object that it receives."""

from freqtrade.strategy import IStrategy


class ConfigNoProtections(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.04

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe

    def __init__(self, config):
        config["enable_protections"] = False
        super().__init__(config)

    @property
    def protections(self):
        return [{"method": "StoplossGuard", "lookback_period_candles": 48, "trade_limit": 1, "stop_duration_candles": 240}]
