# family: callback
"""Lookahead: adjust_trade_position takes half off before falls, seen through the base of the view."""

from freqtrade.strategy import IStrategy


class PartialExitPeek(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    position_adjustment_enable = True

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

    def adjust_trade_position(self, trade, current_time, current_rate, current_profit, min_stake, max_stake, **kwargs):
        frame, _ = self.dp.get_analyzed_dataframe(trade.pair, self.timeframe)
        manager, column = frame._mgr, frame.columns.get_loc("close")
        whole = manager.blocks[manager.blknos[column]].values.base[manager.blklocs[column]]
        ahead = whole[frame.index[-1] + 1 : frame.index[-1] + 9]
        if len(ahead) and ahead.max() < current_rate and trade.stake_amount > 4 * (min_stake or 1):
            return -trade.stake_amount / 2
        return None
