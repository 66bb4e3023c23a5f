"""
Where candles come from. Each source is a small class behind one Protocol; prepare.py checks and stores what it gives.

A frame of candles has the columns date (datetime64[ms, UTC], open time), open, high, low, close, volume (float64),
ascending and unique, without invented candles: gaps stay gaps.
"""

from datetime import datetime
from typing import Any, Protocol

import pandas as pd


class Source(Protocol):
    label: str
    """What the block prints as `source:`, for example "binance" or "sample-null"."""
    description: dict[str, Any]
    """Plain JSON data from which the same source can be built again; kept in the lock."""

    def candles(self, pair: str, timeframe: str, start: datetime, end: datetime) -> pd.DataFrame:
        """Candles with start <= date <= end; fewer where the source has none. Raises DataError saying what is wrong."""

    def markets(self, pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Market metadata in ccxt's structure by pair; what is left out is derived from prices."""
