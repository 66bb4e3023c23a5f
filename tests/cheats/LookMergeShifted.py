# family: lookahead
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy, merge_informative_pair


class LookMergeShifted(IStrategy):
    """merge_informative_pair does shift, but the informative dates were moved back a day first."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        daily = self.dp.get_pair_dataframe(metadata["pair"], "1d")
        daily["date"] = daily["date"] - pd.Timedelta(days=1)
        daily["up"] = (daily["close"] > daily["open"] * 1.02).astype(int)
        daily["down"] = (daily["close"] < daily["open"]).astype(int)
        df = merge_informative_pair(df, daily, self.timeframe, "1d", ffill=True)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["fast"] > df["slow"]) & (df["up_1d"] == 1) & (df["date"].dt.hour < 12), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["down_1d"] == 1), "exit_long"] = 1
        return df
