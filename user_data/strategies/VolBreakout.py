from datetime import timedelta

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class VolBreakout(IStrategy):
    """
    Paradigm: volatility breakout
    Hypothesis: a close far above a quiet range starts a move of about two days; wild pairs get a smaller stake.
    """

    timeframe = "1h"
    startup_candle_count = 120
    minimal_roi = {"0": 10}
    stoploss = -0.07

    def populate_indicators(self, dataframe, metadata):
        dataframe["mid"] = ta.SMA(dataframe, timeperiod=48)
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        width = (dataframe["high"].rolling(24).max() - dataframe["low"].rolling(24).min()) / dataframe["close"]
        dataframe["quiet"] = width.shift(1) < width.rolling(120).median().shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        burst = dataframe["close"] > dataframe["mid"] + 2.5 * dataframe["atr"]
        dataframe.loc[burst & dataframe["quiet"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["mid"] - dataframe["atr"], "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):
        candles, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        risk = candles["atr"].iloc[-1] / candles["close"].iloc[-1]
        return max(min_stake or 0.0, min(max_stake, proposed_stake * min(1.0, 0.01 / risk)))

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        if current_time - trade.open_date_utc >= timedelta(days=2):
            return "two days"
        return None
