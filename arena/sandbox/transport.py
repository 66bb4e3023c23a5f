"""
Candles on their way into a worker, and there: no worker reads a candle file.

A worker's FreqTrade asks for candles as it asks a folder of files; a `Store` answers from what has arrived through the
pipe so far. More may arrive while a strategy runs, so that a process lives through time and has never held its future.
"""

import json
import struct

import numpy as np
import pandas as pd

from arena.market.candle_tables import Tables, frame
from arena.market.candles import fill_gaps, milliseconds, resample

LENGTH = struct.Struct("<Q")


def encode(tables: Tables) -> bytes:
    """Tables as bytes: a JSON header with pairs and shapes, then float64 little-endian."""
    head = json.dumps([[pair, len(table)] for pair, table in tables.items()]).encode()
    return (
        LENGTH.pack(len(head))
        + head
        + b"".join(np.ascontiguousarray(table, dtype="<f8").tobytes() for table in tables.values())
    )


def decode(data: bytes) -> Tables:
    (size,) = LENGTH.unpack_from(data)
    at = LENGTH.size + size
    tables = {}
    for pair, n in json.loads(data[LENGTH.size : at]):
        tables[pair] = np.frombuffer(data, dtype="<f8", count=6 * n, offset=at).reshape(n, 6)
        at += 48 * n
    return tables


class Store:
    """The candles that have arrived, by pair; longer timeframes are resampled when they are asked for."""

    def __init__(self, timeframe: str) -> None:
        self.timeframe = timeframe
        self._tables: Tables = {}
        self._frames: dict[tuple[str, str], pd.DataFrame] = {}
        self._filled: dict[tuple[str, str], pd.DataFrame] = {}

    def add(self, tables: Tables) -> None:
        """Candles that follow those before, or take the place of the last ones; a pair may be new."""
        for pair, table in tables.items():
            if len(table):
                known = self._tables.get(pair, table[:0])
                self._tables[pair] = np.concatenate([known[: np.searchsorted(known[:, 0], table[0, 0])], table])
        self._frames.clear()
        self._filled.clear()

    def frame(self, pair: str, timeframe: str) -> pd.DataFrame:
        """A new frame as from a candle file, gaps included; empty for a pair of which nothing has arrived."""
        return self._kept(pair, timeframe).copy()

    def loaded(self, pair: str, timeframe: str, start_ms: int | None, stop_ms: int | None) -> pd.DataFrame:
        """
        A new frame as FreqTrade loads it: from the first candle at or after `start_ms` to the last one at or before
        `stop_ms`, gaps between filled. None is no border.
        """
        known, key = self._kept(pair, timeframe), (pair, timeframe)
        times = milliseconds(known["date"])
        within = times[
            (times >= (-np.inf if start_ms is None else start_ms)) & (times <= (np.inf if stop_ms is None else stop_ms))
        ]
        if not len(within):
            return known.iloc[:0].reset_index(drop=True)
        if key not in self._filled:
            self._filled[key] = fill_gaps(known, timeframe)
        first, last = np.searchsorted(milliseconds(self._filled[key]["date"]), within[[0, -1]])
        return self._filled[key].iloc[first : last + 1].reset_index(drop=True).copy()

    def _kept(self, pair: str, timeframe: str) -> pd.DataFrame:
        key = (pair, timeframe)
        if key not in self._frames:
            made = frame(self._tables.get(pair, np.empty((0, 6))))
            self._frames[key] = made if timeframe == self.timeframe else resample(made, timeframe)
        return self._frames[key]
