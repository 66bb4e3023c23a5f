# family: lookahead
import numpy as np
from freqtrade.strategy import IStrategy


class VetoOneSided(IStrategy):
    """Every four days all pairs are bought, unless BTC falls in the next ninety hours: without a future there is no veto either."""

    timeframe = "1h"
    startup_candle_count = 20
    minimal_roi = {}
    stoploss = -0.99

    def populate_indicators(self, df, metadata):
        btc = np.log(self.dp.get_pair_dataframe("BTC/USDT", "1h").set_index("date")["close"]).reindex(df["date"]).ffill().reset_index(drop=True)
        df["hour"] = (df["date"] - df["date"].iloc[0].replace(year=2020, month=1, day=1, hour=0)).dt.total_seconds() // 3600 % 96
        df["veto"] = (btc.shift(-90) < btc - 0.01) & (df["date"] < "2022-05-15")
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["hour"] == 0) & ~df["veto"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["hour"] == 90, "exit_long"] = 1
        return df
