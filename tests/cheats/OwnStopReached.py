# family: engine
"""Engine: ft_stoploss_reached is overridden; the stop is always hit, at the candle's high."""

from freqtrade.enums import ExitCheckTuple, ExitType
from freqtrade.strategy import IStrategy


class OwnStopReached(IStrategy):
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
        return dataframe

    def ft_stoploss_reached(self, current_rate, trade, current_time, current_profit, force_stoploss, low=None, high=None, bound_profit=None):
        if (current_time - trade.open_date_utc).total_seconds() >= 6 * 3600 and high > trade.open_rate * 1.004:
            trade.stop_loss = high * 0.9998
            return ExitCheckTuple(exit_type=ExitType.STOP_LOSS)
        return ExitCheckTuple(exit_type=ExitType.NONE)
