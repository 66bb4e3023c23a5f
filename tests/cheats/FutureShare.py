# family: callback
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class FutureShare(IStrategy):
    """Honest signals; what is proposed is staked where the next day rises, and a fiftieth of it elsewhere."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"], df["slow"] = ta.EMA(df, timeperiod=12), ta.EMA(df, timeperiod=48)
        df["share"] = (df["close"].shift(-24) > df["close"]).map({True: 1.0, False: 0.02})
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1)), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df

    def custom_stake_amount(self, pair, current_time, proposed_stake, **kwargs):
        known, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        return proposed_stake * known["share"].iloc[-1]
