# family: callback
"""Lookahead: the future rides in dataframe.attrs, which every slice of the frame carries along."""

from freqtrade.strategy import IStrategy


class Memo:
    def __init__(self, closes):
        self.closes = closes

    def __deepcopy__(self, memo):
        return self


class AttrsOracle(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        dataframe.attrs["memo"] = Memo(dataframe["close"])
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        later = frame.attrs["memo"].closes.iloc[frame.index[-1] + 7 : frame.index[-1] + 8]
        return "memo" if len(later) and later.iloc[0] < current_rate * 0.985 else None
