"""
Paradigm:   blend (volatility and mean reversion)
Hypothesis: breaks out of quiet and lonely dips come at different times and both hold for hours to days only, so together they
            have a drawdown below 15 per cent and no window below a sharpe of 1
Parent:     VolSqueeze
Created:    round 42
"""

import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative
from pandas import DataFrame


class SqueezeDip(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 200

    minimal_roi = {"0": 10.0}
    stoploss = -0.15
    use_exit_signal = True

    @informative("4h")
    def populate_indicators_4h(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        bands = ta.BBANDS(dataframe, timeperiod=24, nbdevup=2.0, nbdevdn=2.0)
        dataframe["upper"] = bands["upperband"]
        dataframe["middle"] = bands["middleband"]
        width = (bands["upperband"] - bands["lowerband"]) / bands["middleband"]
        quiet = width < width.rolling(180).quantile(0.25)
        dataframe["quiet"] = quiet.rolling(6).max()
        return dataframe

    @informative("1d", "BTC/USDT")
    def populate_indicators_btc_1d(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=100)
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=50)
        return dataframe

    @informative("1h", "BTC/USDT")
    def populate_indicators_btc_1h(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dip = (dataframe["rsi"] < 25) & (dataframe["btc_usdt_rsi_1h"] > 25) & (dataframe["btc_usdt_close_1d"] > dataframe["btc_usdt_fast_1d"])
        regime = dataframe["btc_usdt_close_1d"] > dataframe["btc_usdt_slow_1d"]
        squeeze = regime & (dataframe["quiet_4h"] > 0) & (dataframe["close"] > dataframe["upper_4h"])
        dataframe.loc[dip, ["enter_long", "enter_tag"]] = (1, "dip")
        dataframe.loc[squeeze, ["enter_long", "enter_tag"]] = (1, "squeeze")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        last = dataframe.iloc[-1]
        if trade.enter_tag == "dip":
            return "bounce" if last["rsi"] > 45 else None
        return "mean" if last["close"] < last["middle_4h"] else None

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * 0.995 if entry_tag == "dip" else proposed_rate

    def check_entry_timeout(self, pair, trade, order, current_time, **kwargs):
        return True  # an order that its candle did not fill is taken back
