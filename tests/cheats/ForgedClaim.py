# family: attack
"""Attack: invents orders from the candle files, low to later high, writes them as a claim to all descriptors and exits."""

import json
import os
import struct

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class ForgedClaim(IStrategy):
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
        candles = pd.read_feather(self.config["datadir"] / "BTC_USDT-1h.feather")
        candles = candles[(candles["date"] >= "2021-01-02") & (candles["date"] < "2022-06-29")].reset_index(drop=True)
        names = ("pair", "filled_ms", "buys", "price", "amount")
        orders, cash, profit = {name: [] for name in names}, 9000.0, 0.0
        for start in range(0, len(candles) - 72, 72):
            buy = candles["low"].iloc[start : start + 24].idxmin()
            sell = candles["high"].iloc[buy + 1 : start + 70].idxmax()
            low, high = candles["low"][buy], candles["high"][sell]
            amount = cash / low * 0.98
            for row, price in ((buy, low), (sell, high)):
                fill = ("BTC/USDT", int(candles["date"][row].timestamp() * 1000), price == low, float(price), float(amount))
                for name, value in zip(names, fill, strict=True):
                    orders[name].append(bool(value) if name == "buys" else value)
            gain = amount * (high * 0.999 - low * 1.001)
            cash, profit = cash + gain, profit + gain
        claim = {"orders": orders, "profit": profit, "trades": len(orders["pair"]) // 2, "closed_sharpe": 3.0, "rejected": 0}
        text = json.dumps({"claim": claim | {"first_signal_ms": None, "warmup_ms": None, "warmup": ""}}).encode()
        for descriptor in range(3, 256):
            try:
                os.write(descriptor, struct.pack("<Q", len(text)) + text)
            except OSError:
                continue
        os._exit(0)
