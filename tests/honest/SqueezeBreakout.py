import talib.abstract as ta
from freqtrade.strategy import IStrategy


class SqueezeBreakout(IStrategy):
    """Volatility: Bollinger bands leave the Keltner channel upwards; a positive trailing stop takes it from there."""

    timeframe = "1h"
    startup_candle_count = 60
    minimal_roi = {"0": 0.5}
    stoploss = -0.06
    trailing_stop = True
    trailing_stop_positive = 0.04

    def populate_indicators(self, dataframe, metadata):
        bands = ta.BBANDS(dataframe, timeperiod=20, nbdevup=2.0, nbdevdn=2.0)
        middle, reach = ta.EMA(dataframe, timeperiod=20), 1.5 * ta.ATR(dataframe, timeperiod=20)
        inside = (bands["upperband"] < middle + reach) & (bands["lowerband"] > middle - reach)
        dataframe["squeezed"] = inside.astype(int).rolling(12).sum()
        dataframe["free"] = ~inside
        dataframe["momentum"] = ta.LINEARREG_SLOPE(dataframe, timeperiod=12)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        ready = dataframe["squeezed"].shift(1) >= 6
        dataframe.loc[ready & dataframe["free"] & (dataframe["momentum"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["momentum"] < 0) & (dataframe["momentum"].shift(1) >= 0), "exit_long"] = 1
        return dataframe
