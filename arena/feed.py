"""
Candles on their way into a worker, and there: no worker reads a candle file.

A worker's FreqTrade asks for candles as it asks a folder of files; a `Store` answers from what has arrived through the
pipe so far. More may arrive while a strategy runs, so that a process lives through time and has never held its future.
"""

import json
import struct

import numpy as np
import pandas as pd

from arena.candles import fill_gaps, milliseconds, resample
from arena.grid import Tables, frame

LENGTH = struct.Struct("<Q")


def encode(tables: Tables) -> bytes:
    """Tables as bytes: a JSON header with pairs and shapes, then float64 little-endian."""
    head = json.dumps([[pair, len(table)] for pair, table in tables.items()]).encode()
    return LENGTH.pack(len(head)) + head + b"".join(np.ascontiguousarray(table, dtype="<f8").tobytes() for table in tables.values())


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

    def add(self, tables: Tables) -> None:
        """Candles that follow those before; a pair may be new."""
        for pair, table in tables.items():
            if len(table):
                known = self._tables.get(pair)
                self._tables[pair] = table if known is None else np.concatenate([known, table])
        self._frames.clear()

    def frame(self, pair: str, timeframe: str) -> pd.DataFrame:
        """A new frame as from a candle file, gaps included; empty for a pair of which nothing has arrived."""
        return self._kept(pair, timeframe).copy()

    def loaded(self, pair: str, timeframe: str, start_ms: int | None, stop_ms: int | None) -> pd.DataFrame:
        """
        A new frame as FreqTrade loads it: from the first candle at or after `start_ms` to the last one at or before `stop_ms`,
        gaps between filled. None is no border.
        """
        known = self._kept(pair, timeframe)
        times = milliseconds(known["date"]) if len(known) else np.empty(0, dtype=np.int64)
        first = 0 if start_ms is None else int(np.searchsorted(times, start_ms))
        end = len(times) if stop_ms is None else int(np.searchsorted(times, stop_ms, side="right"))
        part = known.iloc[first:end].reset_index(drop=True)
        return fill_gaps(part, timeframe) if len(part) else part

    def _kept(self, pair: str, timeframe: str) -> pd.DataFrame:
        key = (pair, timeframe)
        if key not in self._frames:
            made = frame(self._tables.get(pair, np.empty((0, 6))))
            self._frames[key] = made if timeframe == self.timeframe else resample(made, timeframe)
        return self._frames[key]
