# family: lookahead
import numpy as np
from freqtrade.strategy import IStrategy


class LookStopFit(IStrategy):
    """The stop-loss that suits the whole sample best is assigned to self.stoploss in populate."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.15
    worst = ends = np.empty(0)

    def populate_indicators(self, df, metadata):
        df["upper"] = df["high"].rolling(240).max().shift(1)
        df["lower"] = df["low"].rolling(120).min().shift(1)
        entry = ((df["close"] > df["upper"])).to_numpy()
        low = df["low"][::-1].rolling(96).min()[::-1].shift(-1) / df["close"] - 1
        end = df["close"].shift(-96) / df["close"] - 1
        self.worst = np.append(self.worst, low[entry].dropna())
        self.ends = np.append(self.ends, end[entry].dropna())
        stops = np.linspace(0.01, 0.3, 2901)
        paid = [np.where(self.worst < -s, -s, self.ends).mean() for s in stops]
        self.stoploss = -float(stops[int(np.argmax(paid))])
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[(df["close"] > df["upper"]), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["lower"]), "exit_long"] = 1
        return df
