# family: lookahead
from freqtrade.strategy import IStrategy


class LookDayRange(IStrategy):
    """resample().transform gives every hour the whole day's high and low."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        hourly = df.set_index("date")
        df["top"] = hourly["high"].resample("D").transform("max").to_numpy()
        df["bottom"] = hourly["low"].resample("D").transform("min").to_numpy()
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] < df["bottom"] * 1.004) & (df["top"] > df["close"] * 1.04), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] > df["top"] * 0.99), "exit_long"] = 1
        return df
