import talib.abstract as ta
from freqtrade.strategy import IStrategy


class BoundedAveraging(IStrategy):
    """Averaging down, at most twice: each time four per cent below the last fill and a closed candle that recovers."""

    timeframe = "1h"
    startup_candle_count = 50
    minimal_roi = {"0": 0.03}
    stoploss = -0.20
    position_adjustment_enable = True
    max_entry_position_adjustment = 2

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["rsi"] > 30) & (dataframe["rsi"].shift(1) <= 30), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 75, "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):
        return proposed_stake / (1 + self.max_entry_position_adjustment)

    def adjust_trade_position(
        self, trade, current_time, current_rate, current_profit, min_stake, max_stake,
        current_entry_rate, current_exit_rate, current_entry_profit, current_exit_profit, **kwargs,
    ):  # fmt: skip
        filled = trade.select_filled_orders(trade.entry_side)
        if trade.has_open_orders or not filled or current_rate > filled[-1].safe_price * 0.96:
            return None
        dataframe, _ = self.dp.get_analyzed_dataframe(trade.pair, self.timeframe)
        last, before = dataframe.iloc[-1], dataframe.iloc[-2]
        if last["close"] < before["close"]:
            return None
        return filled[0].stake_amount, f"average_{trade.nr_of_successful_entries}"
