"""
How candles get into a worker and are stored there. No worker reads a candle file.

FreqTrade asks for candles as it would ask a folder of files; a `Store` answers from the candles that have arrived
through the pipe so far. More may arrive while a strategy runs, so the process never holds candles of its future.
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
    offset = LENGTH.size + size
    tables = {}
    for pair, n in json.loads(data[LENGTH.size : offset]):
        tables[pair] = np.frombuffer(data, dtype="<f8", count=6 * n, offset=offset).reshape(n, 6)
        offset += 48 * n
    return tables


class Store:
    """The candles that have arrived, by pair. It resamples longer timeframes on request."""

    def __init__(self, timeframe: str) -> None:
        self.timeframe = timeframe
        self._tables: Tables = {}
        self._frames: dict[tuple[str, str], pd.DataFrame] = {}
        self._filled: dict[tuple[str, str], pd.DataFrame] = {}

    def add(self, tables: Tables) -> None:
        """Add candles that follow the stored ones, or replace the last of them; a pair may be new."""
        for pair, table in tables.items():
            if len(table):
                earlier = self._tables.get(pair, table[:0])
                self._tables[pair] = np.concatenate([earlier[: np.searchsorted(earlier[:, 0], table[0, 0])], table])
        self._frames.clear()
        self._filled.clear()

    def frame(self, pair: str, timeframe: str) -> pd.DataFrame:
        """A new frame as from a candle file, gaps included; empty for a pair without candles so far."""
        return self._kept(pair, timeframe).copy()

    def loaded(self, pair: str, timeframe: str, start_ms: int | None, stop_ms: int | None) -> pd.DataFrame:
        """
        A new frame as FreqTrade loads it: from the first candle at or after `start_ms` to the last one at or before
        `stop_ms`, with gaps filled. None means no limit.
        """
        candles, key = self._kept(pair, timeframe), (pair, timeframe)
        times = milliseconds(candles["date"])
        inside = times[
            (times >= (-np.inf if start_ms is None else start_ms)) & (times <= (np.inf if stop_ms is None else stop_ms))
        ]
        if not len(inside):
            return candles.iloc[:0].reset_index(drop=True)
        if key not in self._filled:
            self._filled[key] = fill_gaps(candles, timeframe)
        first, last = np.searchsorted(milliseconds(self._filled[key]["date"]), inside[[0, -1]])
        return self._filled[key].iloc[first : last + 1].reset_index(drop=True).copy()

    def _kept(self, pair: str, timeframe: str) -> pd.DataFrame:
        key = (pair, timeframe)
        if key not in self._frames:
            candles = frame(self._tables.get(pair, np.empty((0, 6))))
            self._frames[key] = candles if timeframe == self.timeframe else resample(candles, timeframe)
        return self._frames[key]
