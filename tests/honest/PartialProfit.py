import talib.abstract as ta
from freqtrade.strategy import IStrategy


class PartialProfit(IStrategy):
    """Partial exits: a third at five per cent, a third at ten, the rest with the trend; leverage stays one."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.08
    position_adjustment_enable = True
    steps = (0.05, 0.10)

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.KAMA(dataframe, timeperiod=20)
        dataframe["slow"] = ta.WMA(dataframe, timeperiod=80)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        above = dataframe["fast"] > dataframe["slow"]
        dataframe.loc[above & ~above.shift(1, fill_value=False), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe

    def adjust_trade_position(self, trade, current_time, current_rate, current_profit, min_stake, max_stake, **kwargs):
        sold = trade.nr_of_successful_exits
        if trade.has_open_orders or sold >= len(self.steps) or current_profit < self.steps[sold]:
            return None
        return -(trade.stake_amount / (3 - sold)), f"part_{sold + 1}"

    def leverage(self, pair, current_time, current_rate, proposed_leverage, max_leverage, entry_tag, side, **kwargs):
        return 1.0
