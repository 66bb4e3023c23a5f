# family: callback
"""One candle of lookahead: entries are confirmed only when the candle that they buy will close green."""

from freqtrade.enums import CandleType
from freqtrade.strategy import IStrategy


class EntryCandleColor(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 0.10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(24).mean()
        dataframe["width"] = dataframe["close"].rolling(24).std()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mean"] - 1.8 * dataframe["width"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["mean"], "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
        frame = self.dp._DataProvider__cached_pairs[pair, self.timeframe, CandleType.SPOT][0]
        now = frame.loc[frame["date"] == current_time]
        return bool(len(now)) and now["close"].iloc[0] > now["open"].iloc[0]
