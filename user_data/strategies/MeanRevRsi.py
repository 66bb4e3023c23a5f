import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative


class MeanRevRsi(IStrategy):
    """
    Paradigm: mean reversion
    Hypothesis: a sharp fall inside a rising day trend comes back within two days.
    """

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.06, "24": 0.03, "48": 0.0}
    stoploss = -0.10

    @informative("1d")
    def populate_indicators_1d(self, dataframe, metadata):
        dataframe["ema"] = ta.EMA(dataframe, timeperiod=50)
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dip = (dataframe["rsi"] < 30) & (dataframe["close"] > dataframe["ema_1d"]) & (dataframe["volume"] > 0)
        dataframe.loc[dip, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 65, "exit_long"] = 1
        return dataframe
