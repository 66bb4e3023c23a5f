# family: callback
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OwnCandleShare(IStrategy):
    """Buys at every candle's open what falls far, and stakes little where the very candle will close lower: it kept the frames."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"60": -1}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        self.closes = getattr(self, "closes", {}) | {metadata["pair"]: df.set_index("date")["close"]}
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["rsi"] < 30, "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df["exit_long"] = 0
        return df

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, **kwargs):
        return proposed_stake * (1.0 if self.closes[pair].get(current_time, current_rate) > current_rate else 0.02)
