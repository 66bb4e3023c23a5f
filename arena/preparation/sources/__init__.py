"""
Sources of candles. Each is a small class behind one Protocol; prepare.py checks and stores what it returns.

A frame of candles has the columns date (datetime64[ms, UTC], open time), open, high, low, close, volume (float64),
ascending and unique. No candle is invented: gaps stay gaps.
"""

from datetime import datetime
from typing import Any, Protocol

import pandas as pd


class Source(Protocol):
    label: str
    """What the block prints as `source:`, for example "binance" or "sample-null"."""
    description: dict[str, Any]
    """Plain JSON data from which the same source can be built again; the lock keeps it."""

    def candles(self, pair: str, timeframe: str, start: datetime, end: datetime) -> pd.DataFrame:
        """
        Candles with start <= date <= end; fewer where the source has fewer. Raises DataError that says what is wrong.
        """

    def markets(self, pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Market metadata in ccxt's structure by pair; missing pairs are derived from prices."""
