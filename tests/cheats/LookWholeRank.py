# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookWholeRank(IStrategy):
    """rank(pct=True) within the whole month ranks a price against later ones."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        df["rank"] = df.groupby([df["date"].dt.year, df["date"].dt.month])["close"].rank(pct=True)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["rsi"] < 45) & (df["rank"] < 0.15), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["rank"] > 0.85), "exit_long"] = 1
        return df
