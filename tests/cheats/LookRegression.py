# family: lookahead
import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookRegression(IStrategy):
    """Least squares of the next day's return on indicators, fitted to the whole sample it then trades."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["rsi"] = ta.RSI(df, timeperiod=14)
        features = {f"m{n}": df["close"].pct_change(n) for n in (3, 12, 48, 96)} | {"rsi": df["rsi"] / 100}
        price = np.log(df["close"] / df["close"].iloc[0])
        features |= {f"p{n}": np.sin(n * price) for n in range(1, 16)} | {f"q{n}": np.cos(n * price) for n in range(1, 16)}
        table = np.column_stack([np.ones(len(df)), *(f.fillna(0) for f in features.values())])
        target = (df["close"].shift(-24) / df["close"] - 1).fillna(0)
        weights = np.linalg.lstsq(table, target, rcond=None)[0]
        df["predicted"] = table @ weights
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["predicted"] > 0.012), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["predicted"] < -0.002), "exit_long"] = 1
        return df
