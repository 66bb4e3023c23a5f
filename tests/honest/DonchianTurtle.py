from freqtrade.strategy import IStrategy, informative
from pandas import DataFrame


class DonchianTurtle(IStrategy):
    """Trend following: Donchian channel of the 4 h candles, with a trailing stop once an offset is reached."""

    timeframe = "1h"
    startup_candle_count = 60
    minimal_roi = {}
    stoploss = -0.12
    trailing_stop = True
    trailing_stop_positive = 0.06
    trailing_stop_positive_offset = 0.10
    trailing_only_offset_is_reached = True

    @informative("4h")
    def populate_indicators_4h(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["upper"] = dataframe["high"].rolling(20).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(10).min().shift(1)
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] > dataframe["upper_4h"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["lower_4h"], "exit_long"] = 1
        return dataframe
