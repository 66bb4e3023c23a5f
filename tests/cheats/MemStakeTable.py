# family: memory
from freqtrade.strategy import IStrategy


class MemStakeTable(IStrategy):
    """custom_stake_amount bets little on entries that the table from populate calls losers."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10
    table = {}

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, entry_tag, **kwargs):
        wins = self.table[pair].get(current_time, 0.0) > 0.0
        return proposed_stake if wins else max(min_stake or 0.0, 0.04 * proposed_stake)

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(48).max().shift(1)
        df["lower"] = df["low"].rolling(48).min().shift(1)
        ahead = df["close"].shift(-24) / df["open"] - 1
        self.table[metadata["pair"]] = dict(zip(df["date"], ahead, strict=True))
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
