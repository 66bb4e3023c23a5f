import talib.abstract as ta
from freqtrade.strategy import IStrategy


class EmaTrend(IStrategy):
    """Trend following: a cross of two exponential means, held until it turns or a plain trailing stop is hit."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count: int = 200
    minimal_roi = {"0": 10}
    stoploss = -0.08
    trailing_stop = True
    process_only_new_candles = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=24)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=96)
        dataframe["adx"] = ta.ADX(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        up = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[up & (dataframe["volume"] > 0), ["enter_long", "enter_tag"]] = (1, "ema_cross")
        late = (dataframe["fast"] > dataframe["slow"]) & (dataframe["adx"] > 40) & (dataframe["close"] < dataframe["fast"])
        dataframe.loc[late, ["enter_long", "enter_tag"]] = (1, "pullback")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], ["exit_long", "exit_tag"]] = (1, "ema_cross_down")
        return dataframe
