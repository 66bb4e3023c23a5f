import talib.abstract as ta
from freqtrade.strategy import BooleanParameter, CategoricalParameter, DecimalParameter, IntParameter, IStrategy


class ParameterMacd(IStrategy):
    """Hyperopt parameters at their defaults and in buy_params, around a MACD with a filter."""

    timeframe = "1h"
    startup_candle_count = 150
    minimal_roi = {"0": 0.10, "2000": 0.02}
    stoploss = -0.09

    fast = IntParameter(5, 20, default=12, space="buy", optimize=True)
    slow = IntParameter(20, 60, default=26, space="buy")
    threshold = DecimalParameter(-0.01, 0.01, default=0.001, decimals=3, space="buy")
    filtered = BooleanParameter(default=True, space="buy")
    exit_kind = CategoricalParameter(["macd", "rsi"], default="macd", space="sell")
    exit_rsi = IntParameter(60, 90, default=75, space="sell", load=True)
    buy_params = {"fast": 14, "threshold": 0.0}

    def populate_indicators(self, dataframe, metadata):
        for name, length in (("fast", self.fast.value), ("slow", self.slow.value)):
            dataframe[name] = ta.EMA(dataframe, timeperiod=length)
        dataframe["macd"] = (dataframe["fast"] - dataframe["slow"]) / dataframe["close"]
        dataframe["signal"] = dataframe["macd"].ewm(span=9, min_periods=9).mean()
        dataframe["rsi"] = ta.RSI(dataframe)
        dataframe["mean"] = ta.TEMA(dataframe, timeperiod=40)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        enter = (dataframe["macd"] > dataframe["signal"]) & (dataframe["macd"] > self.threshold.value)
        if self.filtered.value:
            enter &= dataframe["close"] > dataframe["mean"]
        dataframe.loc[enter & ~enter.shift(1, fill_value=False), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        ends = dataframe["macd"] < dataframe["signal"] if self.exit_kind.value == "macd" else dataframe["rsi"] > self.exit_rsi.value
        dataframe.loc[ends, "exit_long"] = 1
        return dataframe
