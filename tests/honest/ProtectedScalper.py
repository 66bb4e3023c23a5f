import talib.abstract as ta
from freqtrade.strategy import IStrategy


class ProtectedScalper(IStrategy):
    """Frequent small trades under all of FreqTrade's protections."""

    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.02, "120": 0.01, "360": 0}
    stoploss = -0.03

    @property
    def protections(self):
        return [
            {"method": "CooldownPeriod", "stop_duration_candles": 3},
            {"method": "StoplossGuard", "lookback_period_candles": 24, "trade_limit": 2, "stop_duration_candles": 12, "only_per_pair": True},
            {"method": "MaxDrawdown", "lookback_period_candles": 72, "trade_limit": 5, "stop_duration_candles": 24, "max_allowed_drawdown": 0.1},
            {"method": "LowProfitPairs", "lookback_period_candles": 96, "trade_limit": 3, "stop_duration": 1440, "required_profit": -0.02},
        ]

    def populate_indicators(self, dataframe, metadata):
        stochastic = ta.STOCHF(dataframe, fastk_period=14, fastd_period=3)
        dataframe["fastk"], dataframe["fastd"] = stochastic["fastk"], stochastic["fastd"]
        dataframe["ema"] = ta.EMA(dataframe, timeperiod=24)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        crossed = (dataframe["fastk"] > dataframe["fastd"]) & (dataframe["fastk"].shift(1) <= dataframe["fastd"].shift(1))
        dataframe.loc[crossed & (dataframe["fastd"] < 25) & (dataframe["close"] > 0.98 * dataframe["ema"]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fastk"] > 90, "exit_long"] = 1
        return dataframe
