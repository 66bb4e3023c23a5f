import talib.abstract as ta
from freqtrade.strategy import IStrategy


class DailyShare(IStrategy):
    """Its first entry of a day sets the share of every later one: what it answers hangs on what it was asked before."""

    timeframe = "1h"
    startup_candle_count = 120
    minimal_roi = {"0": 0.05, "24": 0}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        dataframe["atr"] = ta.NATR(dataframe, timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, pair, current_time, proposed_stake, **kwargs):
        self.shares = getattr(self, "shares", {})
        known, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        share = self.shares.setdefault((pair, current_time.date()), min(1.0, 1 / known["atr"].iloc[-1]))
        return proposed_stake * share
