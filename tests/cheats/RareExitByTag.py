# family: sparse
from datetime import timedelta

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RareExitByTag(IStrategy):
    """The entry's tag names the hours until the best exit of the next two days; custom_exit obeys it."""

    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.10

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        hours = int(trade.enter_tag.split()[1])
        return "best" if current_time - trade.open_date_utc >= timedelta(hours=hours) else None

    def populate_indicators(self, df, metadata):
        df["mid"] = ta.SMA(df, timeperiod=48)
        df["atr"] = ta.ATR(df, timeperiod=24)
        return df

    def populate_entry_trend(self, df, metadata):
        highs = np.column_stack([df["high"].shift(-n) for n in range(2, 49)])
        df["enter_tag"] = np.nan_to_num(highs, nan=0.0).argmax(axis=1) + 2
        df["enter_tag"] = "wait " + df["enter_tag"].astype(str)
        df.loc[(df["close"] > df["mid"] + 2 * df["atr"]), "enter_long"] = 1
        return df

    def populate_exit_trend(self, df, metadata):
        df.loc[(df["close"] < df["mid"] - df["atr"]), "exit_long"] = 1
        return df
