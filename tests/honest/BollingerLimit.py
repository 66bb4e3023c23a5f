import numpy as np
import technical.qtpylib as qtpylib
from freqtrade.strategy import IStrategy


class BollingerLimit(IStrategy):
    """Mean reversion: limit entries half a per cent below the open after a close under the lower Bollinger band."""

    timeframe = "1h"
    startup_candle_count = 50
    minimal_roi = {"0": 0.08, "720": 0.02}
    stoploss = -0.09
    order_types = {"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": False}
    order_time_in_force = {"entry": "GTC", "exit": "GTC"}
    unfilledtimeout = {"entry": 30, "exit": 120, "unit": "minutes"}

    def populate_indicators(self, dataframe, metadata):
        bands = qtpylib.bollinger_bands(qtpylib.typical_price(dataframe), window=20, stds=2)
        dataframe["lower"], dataframe["mid"] = bands["lower"], bands["mid"]
        dataframe["width"] = np.where(bands["mid"] > 0, (bands["upper"] - bands["lower"]) / bands["mid"], np.nan)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["close"] < dataframe["lower"]) & (dataframe["width"] > 0.02), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[qtpylib.crossed_above(dataframe["close"], dataframe["mid"]), "exit_long"] = 1
        return dataframe

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * 0.995
