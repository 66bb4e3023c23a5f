import talib.abstract as ta
from freqtrade.strategy import IStrategy, stoploss_from_open


class StepStop(IStrategy):
    """Trend following: MACD turns above a long mean; the stop climbs in steps measured from the open price."""

    timeframe = "1h"
    startup_candle_count = 210
    minimal_roi = {"0": 0.30}
    stoploss = -0.10
    use_custom_stoploss = True

    def populate_indicators(self, dataframe, metadata):
        macd = ta.MACD(dataframe, fastperiod=12, slowperiod=26, signalperiod=9)
        dataframe["hist"] = macd["macdhist"]
        dataframe["mean"] = ta.SMA(dataframe, timeperiod=200)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        turns = (dataframe["hist"] > 0) & (dataframe["hist"].shift(1) <= 0)
        dataframe.loc[turns & (dataframe["close"] > dataframe["mean"]), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < 0.99 * dataframe["mean"], "exit_long"] = 1
        return dataframe

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
        for reached, kept in ((0.20, 0.12), (0.10, 0.05), (0.05, 0.01)):
            if current_profit > reached:
                return stoploss_from_open(kept, current_profit, is_short=trade.is_short, leverage=trade.leverage)
        return None
