# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookLeader(IStrategy):
    """Every pair follows the future of BTC, read through dp and shifted."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        leader = self.dp.get_pair_dataframe("BTC/USDT", self.timeframe).set_index("date")["close"]
        df["leader"] = df["date"].map(leader.shift(-8) / leader - 1)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["leader"] > 0.02), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["leader"] < -0.015), "exit_long"] = 1
        return df
