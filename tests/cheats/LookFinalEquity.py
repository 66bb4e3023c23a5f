# family: lookahead
import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LookFinalEquity(IStrategy):
    """EMA pairs are weighted by the profit that they have at iloc[-1], the end of the sample."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.15

    def populate_indicators(self, df, metadata):
        change = df["close"].pct_change().fillna(0)
        votes, weights = [], []
        for fast in range(2, 60, 3):
            for slow in (20, 50, 100, 200, 400):
                side = np.sign(ta.EMA(df, timeperiod=fast) - ta.EMA(df, timeperiod=slow)).fillna(0)
                gain = (side.shift(1) * change).cumsum().iloc[-1]
                votes.append(side * np.sign(gain))
                weights.append(gain**4)
        df["vote"] = sum(w * v for w, v in zip(weights, votes, strict=True)) / sum(weights)
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["vote"] > 0.5), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["vote"] < -0.5), "exit_long"] = 1
        return df
