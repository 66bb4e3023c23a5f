import talib.abstract as ta
from freqtrade.strategy import IStrategy
from technical.indicators import RMI, SSLChannels, chaikin_money_flow, hull_moving_average, supertrend, vwma


class TrendTools:
    """A mixin in the same file, as honest authors write it."""

    @staticmethod
    def channels(dataframe):
        down, up = SSLChannels(dataframe, length=21)
        return dataframe.assign(ssl_down=down, ssl_up=up)


class TechnicalMix(TrendTools, IStrategy):
    """Indicators of the `technical` package: SSL channels, relative momentum, money flow, hull and volume-weighted means."""

    timeframe = "1h"
    startup_candle_count = 150
    minimal_roi = {"0": 0.15}
    stoploss = -0.08

    def populate_indicators(self, dataframe, metadata):
        dataframe = self.channels(dataframe)
        dataframe["rmi"] = RMI(dataframe, length=20, mom=5)
        dataframe["cmf"] = chaikin_money_flow(dataframe, period=21)
        dataframe["vwma"] = vwma(dataframe, 40)
        dataframe["hull"] = hull_moving_average(dataframe, 40)
        dataframe["supertrend"] = supertrend(dataframe, period=10, multiplier=3)[0]
        dataframe["engulfing"] = ta.CDLENGULFING(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        up = (dataframe["ssl_up"] > dataframe["ssl_down"]) & (dataframe["hull"] > dataframe["vwma"]) & (dataframe["cmf"] > 0.05)
        dataframe.loc[up & ((dataframe["rmi"] > 55) | (dataframe["engulfing"] > 0)), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["ssl_up"] < dataframe["ssl_down"]) & (dataframe["close"] < dataframe["supertrend"].fillna(0)), "exit_long"] = 1
        return dataframe
