import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class PyramidWinners(IStrategy):
    """Scaling in: up to two smaller additions to winners, sized by the number of entries so far."""

    timeframe = "1h"
    startup_candle_count = 120
    minimal_roi = {"0": 10}
    stoploss = -0.10
    position_adjustment_enable = True
    max_entry_position_adjustment = 2

    def populate_indicators(self, dataframe, metadata):
        dataframe["plus"], dataframe["minus"] = ta.PLUS_DI(dataframe), ta.MINUS_DI(dataframe)
        dataframe["slope"] = np.log(dataframe["close"]).diff(48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        conditions = [dataframe["plus"] > dataframe["minus"], dataframe["slope"] > 0.03, dataframe["volume"] > 0]
        dataframe.loc[np.logical_and.reduce(conditions), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["slope"] < -0.01, "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):
        return proposed_stake * 0.5

    def adjust_trade_position(self, trade, current_time, current_rate, current_profit, min_stake, max_stake, **kwargs):
        count = trade.nr_of_successful_entries
        if trade.has_open_orders or current_profit < 0.04 * count:
            return None
        stake = trade.select_filled_orders("buy")[0].stake_amount / (1 + count)
        return stake if (min_stake or 0) < stake < max_stake else None
