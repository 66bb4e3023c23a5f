# family: attack
"""Attack: writes an invented claim to every open descriptor and ends the process before the backtest."""

import json
import os
import struct

import talib.abstract as ta
from freqtrade.strategy import IStrategy


ORDERS = {
    "pair": ["BTC/USDT", "BTC/USDT"],
    "filled_ms": [1609462800000, 1613750400000],
    "buys": [True, False],
    "price": [29000.0, 55000.0],
    "amount": [0.3, 0.3],
}
CLAIM = {"orders": ORDERS, "profit": 7774.8, "trades": 1, "closed_sharpe": 9.9, "rejected": 0}
CLAIM |= {"first_signal_ms": None, "warmup_ms": None, "warmup": ""}


def shout():
    text = json.dumps({"claim": CLAIM}).encode()
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, struct.pack("<Q", len(text)) + text)
        except OSError:
            continue
    os._exit(0)


class FakeClaimEverywhere(IStrategy):
    timeframe = "1h"
    startup_candle_count = 100
    minimal_roi = {"0": 10}
    stoploss = -0.12

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=48)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        cross = (dataframe["fast"] > dataframe["slow"]) & (dataframe["fast"].shift(1) <= dataframe["slow"].shift(1))
        dataframe.loc[cross & (dataframe["volume"] > 0), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe

    def bot_start(self, **kwargs):
        shout()
