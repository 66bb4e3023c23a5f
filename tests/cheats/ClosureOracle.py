# family: callback
"""Lookahead: a closure made in populate_indicators answers custom_stake_amount with the return of the next day."""

from freqtrade.strategy import IStrategy


class ClosureOracle(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    ask = {}

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        closes = dict(zip(dataframe["date"], (dataframe["close"].shift(-24) / dataframe["close"] - 1).fillna(0), strict=True))
        self.ask[metadata["pair"]] = lambda when: closes.get(when, 0)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):
        edge = self.ask[pair](current_time)
        return min(max_stake, proposed_stake * 2) if edge > 0.01 else max(min_stake * 1.1, proposed_stake * 0.02)
