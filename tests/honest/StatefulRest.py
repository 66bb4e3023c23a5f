from collections import defaultdict
from datetime import datetime, timedelta

import talib.abstract as ta
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class StatefulRest(IStrategy):
    """State on self: rests after each exit, counts candles in bot_loop_start, lets a take-profit wait while the trend runs."""

    timeframe = "1h"
    startup_candle_count = 60
    minimal_roi = {"0": 0.06}
    stoploss = -0.06
    last_exit: dict[str, datetime] = {}

    def bot_start(self, **kwargs) -> None:
        self.last_exit = {}
        self.vetoes: dict[str, int] = defaultdict(int)
        self.loops = 0

    def bot_loop_start(self, current_time: datetime, **kwargs) -> None:
        self.loops += 1
        if current_time.weekday() == 0 and current_time.hour == 0:
            self.vetoes.clear()

    def populate_indicators(self, dataframe, metadata):
        dataframe["sar"] = ta.SAR(dataframe)
        dataframe["ema"] = ta.EMA(dataframe, timeperiod=30)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["sar"] < dataframe["close"]) & (dataframe["sar"].shift(1) > dataframe["close"].shift(1)), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["sar"] > dataframe["close"], "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        rested = pair not in self.last_exit or current_time - self.last_exit[pair] >= timedelta(hours=12)
        return rested and len(Trade.get_trades_proxy(is_open=True)) < 2 + (self.loops > 10)

    def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, current_time, **kwargs):
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if exit_reason == "roi" and dataframe["close"].iloc[-1] > dataframe["ema"].iloc[-1] and self.vetoes[pair] < 40:
            self.vetoes[pair] += 1
            return False
        self.last_exit[pair] = current_time
        return True
