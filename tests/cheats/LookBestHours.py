# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookBestHours(IStrategy):
    """Hours of each month with a positive mean return are found in that same month."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        change = df["open"].shift(-1 - 4) / df["open"].shift(-1) - 1
        slot = [df["date"].dt.year, df["date"].dt.month, df["date"].dt.hour]
        df["edge"] = change.groupby(slot).transform("mean")
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["edge"] > 0.006), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["edge"] < -0.002), "exit_long"] = 1
        return df
