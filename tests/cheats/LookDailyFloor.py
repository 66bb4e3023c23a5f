# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookDailyFloor(IStrategy):
    """The daily candle is mapped by date.floor('D'), so its close is known from midnight."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def informative_pairs(self):
        return [(pair, "1d") for pair in self.dp.current_whitelist()]

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        daily = self.dp.get_pair_dataframe(metadata["pair"], "1d").set_index("date")["close"]
        df["close_1d"] = df["date"].dt.floor("D").map(daily)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["close_1d"] > df["close"] * 1.02), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close_1d"] < df["close"]), "exit_long"] = 1
        return df
