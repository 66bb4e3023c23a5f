# family: sparse
import numpy as np
from freqtrade.strategy import IStrategy


class VetoFarAhead(IStrategy):
    """All pairs are bought every three weeks, unless the market stands lower twenty days later; at the range's end nothing is known."""

    timeframe = "1h"
    startup_candle_count = 20
    minimal_roi = {}
    stoploss = -0.99

    def populate_indicators(self, df, metadata):
        market = sum(np.log(self.dp.get_pair_dataframe(pair, "1h").set_index("date")["close"]) for pair in ("BTC/USDT", "ETH/USDT", "SOL/USDT"))
        market = market.reindex(df["date"]).ffill().reset_index(drop=True)
        df["hour"] = (df["date"] - df["date"].iloc[0].replace(year=2020, month=1, day=1, hour=0)).dt.total_seconds() // 3600 % 504
        df["veto"] = (market.shift(-490) < market) & (df["date"] < "2022-05-15")
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["hour"] == 0) & ~df["veto"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["hour"] == 492, "exit_long"] = 1
        return df
