import talib.abstract as ta
import technical.qtpylib as qtpylib
from freqtrade.strategy import IStrategy, informative


class RegimeFrames(IStrategy):
    """Several timeframes: 4 h and daily regime of the pair, daily regime of BTC, entries on Heikin-Ashi turns."""

    timeframe = "1h"
    startup_candle_count = 55
    minimal_roi = {"0": 0.15, "4320": 0.05}
    stoploss = -0.08

    @informative("1d")
    @informative("4h")
    def populate_indicators_higher(self, dataframe, metadata):
        dataframe["ema"] = ta.EMA(dataframe, timeperiod=20)
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    @informative("1d", "BTC/{stake}", "{BASE}_{column}_{timeframe}")
    def populate_indicators_btc(self, dataframe, metadata):
        dataframe["rising"] = (dataframe["close"] > ta.SMA(dataframe, timeperiod=30)).astype(float)
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        candles = qtpylib.heikinashi(dataframe)  # in columns of their own: the candles stay as they are
        dataframe["ha_green"] = (candles["close"] > candles["open"]).astype(int)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        turn = (dataframe["ha_green"] == 1) & (dataframe["ha_green"].shift(1) == 0)
        regime = (dataframe["close"] > dataframe["ema_4h"]) & (dataframe["rsi_1d"] > 45) & (dataframe["BTC_rising_1d"] > 0)
        dataframe.loc[turn & regime, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["rsi_4h"] > 75) | (dataframe["close"] < 0.97 * dataframe["ema_4h"]), "exit_long"] = 1
        return dataframe
