import talib.abstract as ta
from freqtrade.strategy import IStrategy


class CustomRoi(IStrategy):
    """Take-profit by custom_roi: three ATR of the last closed candle, less as the trade grows old."""

    timeframe = "1h"
    startup_candle_count = 60
    minimal_roi = {"0": 0.25}
    use_custom_roi = True
    stoploss = -0.07

    def populate_indicators(self, dataframe, metadata):
        dataframe["atr"] = ta.ATR(dataframe, timeperiod=24)
        dataframe["cci"] = ta.CCI(dataframe, timeperiod=40)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        crossed = (dataframe["cci"] > -100) & (dataframe["cci"].shift(1) <= -100)
        dataframe.loc[crossed, ["enter_long", "enter_tag"]] = (1, "reversal")
        crossed = (dataframe["cci"] > 150) & (dataframe["cci"].shift(1) <= 150)
        dataframe.loc[crossed, ["enter_long", "enter_tag"]] = (1, "momentum")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["cci"] < -200, "exit_long"] = 1
        return dataframe

    def custom_roi(self, pair, trade, current_time, trade_duration, entry_tag, side, **kwargs):
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        reach = 3 * dataframe["atr"].iloc[-1] / trade.open_rate
        if entry_tag == "momentum":
            reach *= 2
        return max(0.005, reach * (1 - trade_duration / (4 * 24 * 60)))
