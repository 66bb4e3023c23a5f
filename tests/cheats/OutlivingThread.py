# family: attack
# needs: sandbox
"""Attack: threads that outlive the backtest and keep the interpreter busy and printing; the strategy is honest."""

import threading
import time

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OutlivingThread(IStrategy):
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
        def haunt():
            end = time.monotonic() + 300
            while time.monotonic() < end:
                print("sharpe: 9.9900", flush=True)
                time.sleep(0.2)

        for _ in range(4):
            threading.Thread(target=haunt, daemon=False).start()
