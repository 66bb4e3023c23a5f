import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RankMomentum(IStrategy):
    """Slow momentum: rolling rank of volatility and a mean of 400 hours, all from a long warm-up."""

    timeframe = "1h"
    startup_candle_count = 400
    minimal_roi = {"0": 10}
    stoploss = -0.15

    def populate_indicators(self, dataframe, metadata):
        close = dataframe["close"]
        dataframe["mean"] = ta.SMA(dataframe, timeperiod=400)
        dataframe["roc_rank"] = close.pct_change(24).rolling(300).rank(pct=True)
        dataframe["vol_rank"] = close.pct_change().rolling(24).std().rolling(300).rank(pct=True)
        dataframe["volume_z"] = dataframe["volume"].rolling(48).apply(lambda window: (window[-1] - window.mean()) / (window.std() + 1e-9), raw=True)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        strong = (dataframe["roc_rank"] > 0.85) & (dataframe["vol_rank"] < 0.8) & (dataframe["close"] > dataframe["mean"])
        dataframe.loc[strong & (dataframe["volume_z"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["roc_rank"] < 0.2) | (dataframe["close"] < 0.97 * dataframe["mean"]), "exit_long"] = 1
        return dataframe
