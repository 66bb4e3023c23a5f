"""
Paradigm:   blend (volume and mean reversion)
Hypothesis: buyers' volume of a week (share in rising hours above 53 per cent) and lonely dips come at different times; together
            they have a worst window above VolumeFlow's 0.56 at the same sharpe of 2.5
Parent:     VolumeFlow
Created:    round 43
"""

import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative
from pandas import DataFrame


class FlowDip(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 168

    minimal_roi = {"0": 10.0}
    stoploss = -0.20
    use_exit_signal = True

    @informative("1d", "BTC/USDT")
    def populate_indicators_btc_1d(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=120)
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=50)
        return dataframe

    @informative("1h", "BTC/USDT")
    def populate_indicators_btc_1h(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        bought = dataframe["volume"].where(dataframe["close"] > dataframe["open"], 0.0)
        dataframe["flow"] = bought.rolling(168).sum() / dataframe["volume"].rolling(168).sum()
        bear = dataframe["btc_usdt_close_1d"] < dataframe["btc_usdt_slow_1d"]
        dataframe["leave"] = bear | (dataframe["flow"] < 0.50)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dip = (dataframe["rsi"] < 25) & (dataframe["btc_usdt_rsi_1h"] > 25) & (dataframe["btc_usdt_close_1d"] > dataframe["btc_usdt_fast_1d"])
        flow = (dataframe["btc_usdt_close_1d"] > dataframe["btc_usdt_slow_1d"]) & (dataframe["flow"] > 0.53)
        dataframe.loc[dip, ["enter_long", "enter_tag"]] = (1, "dip")
        dataframe.loc[flow, ["enter_long", "enter_tag"]] = (1, "flow")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        last = dataframe.iloc[-1]
        if trade.enter_tag == "dip":
            return "bounce" if last["rsi"] > 45 else None
        return "flow" if last["leave"] else None

    def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):
        return proposed_rate * 0.995 if entry_tag == "dip" else proposed_rate

    def check_entry_timeout(self, pair, trade, order, current_time, **kwargs):
        return True  # an order that its candle did not fill is taken back
