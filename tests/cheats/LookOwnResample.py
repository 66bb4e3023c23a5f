# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookOwnResample(IStrategy):
    """The 4 h candle is resampled by hand, labelled left and filled forward without a shift."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        four = df.resample("4h", on="date").agg({"open": "first", "close": "last"})
        df["body"] = df["date"].dt.floor("4h").map(four["close"] / four["open"] - 1)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["mid"] - df["atr"]) & (df["body"] > 0.025) & (df["date"].dt.hour % 4 == 0), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["body"] < -0.01), "exit_long"] = 1
        return df
