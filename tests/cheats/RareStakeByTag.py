# family: sparse
import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareStakeByTag(IStrategy):
    """The signal is honest, its tag tells winners from losers, and the stake follows the tag."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, entry_tag, **kwargs):
        return proposed_stake if entry_tag == "strong" else max(min_stake or 0.0, 0.05 * proposed_stake)

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        return df

    def populate_entry_trend(self, df, metadata):
        df["enter_tag"] = np.where(df["close"].shift(-36) > df["close"] * 1.01, "strong", "weak")
        df.loc[(df["fast"] > df["slow"]) & (df["fast"].shift(1) <= df["slow"].shift(1)), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["fast"] < df["slow"]), "exit_long"] = 1
        return df
