from freqtrade.strategy import IStrategy, informative


class TrendDonchian(IStrategy):
    """
    Paradigm: trend following
    Hypothesis: a new ten-day high of the 4 h candles goes on; a five-day low ends it.
    """

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.15
    trailing_stop = True
    trailing_stop_positive = 0.12
    trailing_stop_positive_offset = 0.25
    trailing_only_offset_is_reached = True

    @informative("4h")
    def populate_indicators_4h(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(60).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(30).min().shift(1)
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper_4h"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower_4h"], "exit_long"] = 1
        return dataframe
