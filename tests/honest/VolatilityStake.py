import talib.abstract as ta
from freqtrade.strategy import IStrategy


class VolatilityStake(IStrategy):
    """Dynamic stake: a momentum entry whose stake risks one per cent of the wallet over two ATR."""

    timeframe = "1h"
    startup_candle_count = 120
    minimal_roi = {"0": 0.20}
    stoploss = -0.10
    risk = 0.01

    def populate_indicators(self, dataframe, metadata):
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=48)
        dataframe["roc"] = ta.ROC(dataframe, timeperiod=48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["roc"] > 4) & (dataframe["roc"].shift(1) <= 4), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["roc"] < 0, "exit_long"] = 1
        return dataframe

    def custom_stake_amount(
        self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, leverage, entry_tag, side, **kwargs
    ):
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        distance = 2 * dataframe["atr"].iat[-1] / current_rate
        wanted = self.wallets.get_total_stake_amount() * self.risk / distance
        return min(max(wanted, min_stake or 0), max_stake, self.wallets.get_available_stake_amount())
