import talib.abstract as ta
from freqtrade.strategy import IStrategy, merge_informative_pair


class HandMerged(IStrategy):
    """Several timeframes by hand: informative_pairs, get_pair_dataframe and merge_informative_pair, the documented way."""

    timeframe = "1h"
    higher = "4h"
    startup_candle_count = 60
    minimal_roi = {"0": 0.06, "1440": 0.02}
    stoploss = -0.07

    def informative_pairs(self):
        pairs = self.dp.current_whitelist()
        return [(pair, self.higher) for pair in pairs] + [("BTC/USDT", "1d")]

    def populate_indicators(self, dataframe, metadata):
        if not self.dp:
            return dataframe
        higher = self.dp.get_pair_dataframe(pair=metadata["pair"], timeframe=self.higher)
        higher["rsi"] = ta.RSI(higher, timeperiod=14)
        higher["sma"] = ta.SMA(higher, timeperiod=50)
        dataframe = merge_informative_pair(dataframe, higher, self.timeframe, self.higher, ffill=True)
        btc = self.dp.get_pair_dataframe("BTC/USDT", "1d")
        btc["roc"] = ta.ROC(btc, timeperiod=7)
        dataframe = merge_informative_pair(
            dataframe, btc[["date", "roc"]], self.timeframe, "1d", ffill=True, append_timeframe=False, suffix="btc"
        )
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        higher = f"_{self.higher}"
        calm = (dataframe[f"rsi{higher}"] > 50) & (dataframe["close"] > dataframe[f"sma{higher}"]) & (dataframe["roc_btc"] > -10)
        dataframe.loc[calm & (dataframe["rsi"] < 45), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["rsi"] > 70) | (dataframe["rsi_4h"] < 40), "exit_long"] = 1
        return dataframe
