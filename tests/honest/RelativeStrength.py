import pandas as pd
from freqtrade.strategy import IStrategy


class RelativeStrength(IStrategy):
    """Cross-pair: the pair with the best three-day return among all is held while it leads and rises."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12
    look_back = 72

    def informative_pairs(self):
        return [(pair, self.timeframe) for pair in self.dp.current_whitelist()]

    def populate_indicators(self, dataframe, metadata):
        returns = {}
        for pair in self.dp.current_whitelist():
            candles = self.dp.get_pair_dataframe(pair, self.timeframe)
            returns[pair] = candles.set_index("date")["close"].pct_change(self.look_back)
        ranks = pd.DataFrame(returns).rank(axis=1, ascending=False)
        own = ranks[metadata["pair"]].rename("strength_rank").reset_index()
        dataframe = dataframe.merge(own, on="date", how="left")
        dataframe["roc"] = dataframe["close"].pct_change(self.look_back)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        leads = (dataframe["strength_rank"] == 1) & (dataframe["strength_rank"].shift(1) > 1)
        dataframe.loc[leads & (dataframe["roc"] > 0.02), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["strength_rank"] > 1) | (dataframe["roc"] < 0), "exit_long"] = 1
        return dataframe
