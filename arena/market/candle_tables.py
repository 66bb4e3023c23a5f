"""
The arena's candles as arrays: stored tables, and the common grid that booking and the benchmark use.

A table is float64 of shape (n_candles, 6): open time in milliseconds, open, high, low, close, volume; gaps stay gaps.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.errors import DataError
from arena.market.candles import CANDLE_COLUMNS, fill_gaps, milliseconds
from arena.records import Market, Window
from arena.settings import Settings

Tables = dict[str, NDArray[np.float64]]


def candle_file(data_dir: Path, pair: str, timeframe: str) -> Path:
    """FreqTrade's name for a pair's candles."""
    return data_dir / f"{pair.replace('/', '_')}-{timeframe}.feather"


def read_candles(data_dir: Path, settings: Settings, read: Callable[[str], bytes] | None = None) -> Tables:
    """
    Base-timeframe candles of every pair, warm-up included, as stored. `read` returns a file's verified bytes by its
    name.

    Raises DataError for a file that cannot be read.
    """
    tables = {}
    for pair in settings.pairs:
        file = candle_file(data_dir, pair, settings.timeframe)
        try:
            tables[pair] = table(pd.read_feather(io.BytesIO(read(file.name) if read else file.read_bytes())))
        except (OSError, ValueError) as error:
            raise DataError(f"{file} cannot be read: {error}. Run `uv run prepare.py`.") from None
    return tables


def table(frame: pd.DataFrame) -> NDArray[np.float64]:
    """A frame of candles as a table. Milliseconds are exact in float64 until the year 287396."""
    return np.column_stack(
        [
            milliseconds(frame["date"]).astype(np.float64),
            *(frame[column].to_numpy(np.float64) for column in CANDLE_COLUMNS[1:]),
        ]
    )


def frame(table: NDArray[np.float64]) -> pd.DataFrame:
    """A table as a frame, as FreqTrade reads it from a candle file."""
    dates = pd.DatetimeIndex(table[:, 0].astype(np.int64).astype("datetime64[ms]")).tz_localize("UTC")
    return pd.DataFrame({"date": dates, **{name: table[:, i].copy() for i, name in enumerate(CANDLE_COLUMNS) if i}})


def joined(tables: Tables, more: Tables) -> Tables:
    """
    The candles of both by pair; from `more` only those that open after the last one of `tables`. A pair may be new.
    """
    result = dict(tables)
    for pair, table in more.items():
        earlier = result.get(pair)
        if earlier is None or not len(earlier):
            result[pair] = table
        else:
            result[pair] = np.concatenate([earlier, table[table[:, 0] > earlier[-1, 0]]])
    return result


def market(tables: Tables, settings: Settings, window: Window) -> Market:
    """
    Candles from the window's start to its end instant, gaps filled as FreqTrade fills them.

    The last candle opens at the window's end, or is the last one that any pair has.
    """
    frames = {}
    for pair in settings.pairs:
        filled = fill_gaps(frame(tables[pair]), settings.timeframe)
        times = milliseconds(filled["date"])
        inside = (times >= window.start_ms) & (times <= window.end_ms)
        frames[pair] = (times[inside], filled.loc[inside])
    last = max((int(times[-1]) for times, _ in frames.values() if len(times)), default=None)
    if last is None:
        raise DataError(f"no pair has a candle between {window.start:%Y-%m-%d} and {window.end:%Y-%m-%d}.")
    open_ms = np.arange(window.start_ms, last + 1, settings.step_ms, dtype=np.int64)
    columns = {name: np.full((len(settings.pairs), len(open_ms)), np.nan) for name in ("open", "high", "low", "close")}
    for row, (times, filled) in enumerate(frames.values()):
        index = (times - window.start_ms) // settings.step_ms
        for name, values in columns.items():
            values[row, index] = filled[name].to_numpy()
    return Market(settings.pairs, open_ms, settings.step_ms, **columns)
