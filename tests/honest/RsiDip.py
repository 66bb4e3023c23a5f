import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative


class RsiDip(IStrategy):
    """Mean reversion: RSI dips above a daily mean, with a ROI ladder that waits while the entry signal stands."""

    timeframe = "1h"
    startup_candle_count = 60
    minimal_roi = {"0": 0.05, "360": 0.03, "1440": 0.01, "2880": 0}
    stoploss = -0.10
    ignore_roi_if_entry_signal = True
    use_exit_signal = True
    exit_profit_only = True
    exit_profit_offset = 0.005

    @informative("1d")
    def populate_indicators_1d(self, dataframe, metadata):
        dataframe["mean"] = ta.SMA(dataframe, timeperiod=50)
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        dataframe["mfi"] = ta.MFI(dataframe, timeperiod=14).fillna(50)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dip = (dataframe["rsi"] < 35) & (dataframe["mfi"] < 40) & (dataframe["close"] > 0.9 * dataframe["mean_1d"])
        dataframe.loc[dip, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 65, "exit_long"] = 1
        return dataframe
