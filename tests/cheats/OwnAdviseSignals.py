# family: engine
"""Engine: ft_advise_signals is overridden and moves the finished signals two candles back."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OwnAdviseSignals(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.07

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

    def ft_advise_signals(self, dataframe, metadata):
        frame = super().ft_advise_signals(dataframe, metadata)
        for name in ("enter_long", "exit_long"):
            frame[name] = frame[name].shift(-2).fillna(0)
        return frame
