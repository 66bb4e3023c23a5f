import talib.abstract as ta
from freqtrade.strategy import IStrategy, stoploss_from_absolute


class AtrStop(IStrategy):
    """Breakout: new three-day highs, left only by a stop three ATR below the last closed candle."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.20
    use_custom_stoploss = True
    use_exit_signal = False

    def populate_indicators(self, dataframe, metadata):
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        dataframe["top"] = dataframe["high"].shift(1).rolling(72).max()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["top"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs):
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        last = dataframe.iloc[-1].squeeze()
        stop = last["close"] - 3 * last["atr"]
        return stoploss_from_absolute(stop, current_rate, is_short=trade.is_short, leverage=trade.leverage)
