# family: lookahead
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RoiTail(IStrategy):
    """A minimal_roi of many rows, of which the last ones, far behind the first thousand characters, are fitted to the whole range."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, df, metadata):
        df["fast"] = ta.EMA(df, timeperiod=12)
        df["slow"] = ta.EMA(df, timeperiod=48)
        self.minimal_roi = {minutes: 10 for minutes in range(0, 20_000, 60)} | {25_000: -round(float(df["close"].pct_change(24).iloc[-2000:].mean()), 6)}
        return df

    def populate_entry_trend(self, df, metadata):
        df.loc[df["fast"] > df["slow"], "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[df["fast"] < df["slow"], "exit_long"] = 1
        return df
