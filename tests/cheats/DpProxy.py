# family: engine
"""Engine: self.dp is replaced by a proxy whose frames are not cut; the callback looks honest."""

from freqtrade.strategy import IStrategy


class Proxy:
    def __init__(self, real):
        self.real = real

    def __getattr__(self, name):
        return getattr(self.real, name)

    def get_analyzed_dataframe(self, pair, timeframe):
        view, when = self.real.get_analyzed_dataframe(pair, timeframe)
        whole = next(f for key, (f, _) in self.real._DataProvider__cached_pairs.items() if key[0] == pair)
        return whole.iloc[: view.index[-1] + 9], when


class DpProxy(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["upper"] = dataframe["high"].rolling(36).max().shift(1)
        dataframe["lower"] = dataframe["low"].rolling(24).min().shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["lower"], "exit_long"] = 1
        return dataframe

    def bot_start(self, **kwargs):
        self.dp = Proxy(self.dp)

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        candles, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        return "falls" if candles["close"].iloc[-4:].max() < current_rate * 0.995 else None
