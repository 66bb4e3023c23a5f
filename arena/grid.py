"""The arena's own candles as arrays on one common grid: what booking and the benchmark are computed from."""

from pathlib import Path

import numpy as np
import pandas as pd

from arena.candles import fill_gaps, milliseconds
from arena.errors import DataError
from arena.records import Market, Window
from arena.settings import Settings


def candle_file(data_dir: Path, pair: str, timeframe: str) -> Path:
    """FreqTrade's name for a pair's candles."""
    return data_dir / f"{pair.replace('/', '_')}-{timeframe}.feather"


def read_market(data_dir: Path, settings: Settings, window: Window) -> Market:
    """
    Base-timeframe candles of every pair from the window's start to its end instant, gaps filled as FreqTrade fills them.

    The last candle is the one that opens at the window's end, or the last one that any pair has.
    """
    frames = {}
    for pair in settings.pairs:
        file = candle_file(data_dir, pair, settings.timeframe)
        try:
            frame = fill_gaps(pd.read_feather(file), settings.timeframe)
        except (OSError, ValueError) as error:
            raise DataError(f"{file} cannot be read: {error}. Run `uv run prepare.py`.") from None
        times = milliseconds(frame["date"])
        inside = (times >= window.start_ms) & (times <= window.end_ms)
        frames[pair] = (times[inside], frame.loc[inside])
    last = max((int(times[-1]) for times, _ in frames.values() if len(times)), default=None)
    if last is None:
        raise DataError(f"no pair has a candle between {window.start:%Y-%m-%d} and {window.end:%Y-%m-%d}.")
    open_ms = np.arange(window.start_ms, last + 1, settings.step_ms, dtype=np.int64)
    columns = {name: np.full((len(settings.pairs), len(open_ms)), np.nan) for name in ("open", "high", "low", "close")}
    for row, (times, frame) in enumerate(frames.values()):
        index = (times - window.start_ms) // settings.step_ms
        for name, values in columns.items():
            values[row, index] = frame[name].to_numpy()
    return Market(settings.pairs, open_ms, settings.step_ms, **columns)
