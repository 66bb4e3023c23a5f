"""
The format of a strategy's decisions between worker and trusted process: text, bounded in size.

The worker packs and the trusted process unpacks; both directions are here so that they stay in step. Packed arrays are
base64 of zlib. Unpacking stops at the expected size, whatever the text claims to hold.
"""

import base64
import binascii
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from arena.decisions import HASH, INSTANTS_MS, NAMES, TEXT, Events, Signals

HEADER = struct.Struct("<Q")
"""Length of what follows. The worker sends JSON; the trusted process sends a JSON head, then encoded candles."""
MAX_EVENTS = 5_000_000
MAX_TEXTS = 5_000
MAX_STAKES = 100_000
"""Candles at which we ask custom_stake_amount outside of FreqTrade's loop, all pairs together."""
MAX_TAGS = 5000
"""Distinct tags that are sent as texts."""
MAX_TAG = 255
"""Characters of a tag, as in FreqTrade's database."""
MAX_SIGNAL_TAG = 1000
"""Characters of a tag in a signal's column."""
MAX_PARAMETER = 1000
"""Characters of a parameter that is sent unchanged; a longer one is cut and ends in a hash of the whole."""


def pack(values: NDArray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 1)).decode()


def unpack(text: str, dtype: str, n: int) -> NDArray:
    """
    An array of exactly n values. Raises ValueError for anything else, without using more memory than n values need.
    """
    size = max(n, 0) * np.dtype(dtype).itemsize
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(base64.b64decode(text, validate=True), size + 1)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise ValueError(f"a packed array cannot be read: {error}") from None
    if len(data) != size or not stream.eof or n < 0:
        raise ValueError(f"a packed array does not hold {n} values")
    return np.frombuffer(data, dtype=dtype)


def pack_signals(signals: Signals) -> dict:
    return {
        "start_ms": int(signals.start_ms),
        "n": len(signals.enter),
        "enter": pack(np.packbits(signals.enter)),
        "exit": pack(np.packbits(signals.exit)),
        "enter_tag": pack(signals.enter_tag.astype("<u8")),
        "exit_tag": pack(signals.exit_tag.astype("<u8")),
    }


def unpack_signals(start_ms: int, n: int, enter: str, exit: str, enter_tag: str, exit_tag: str) -> Signals:
    """The inverse of `pack_signals`. Raises ValueError for malformed input."""
    bits = [np.unpackbits(unpack(text, "u1", (n + 7) // 8), count=n).astype(np.bool_) for text in (enter, exit)]
    return Signals(start_ms, bits[0], bits[1], unpack(enter_tag, "<u8", n), unpack(exit_tag, "<u8", n))


def unpack_events(n: int, columns: list[str], texts: list[str]) -> Events:
    """Raises ValueError for malformed input, or for an event whose name or text does not exist."""
    if len(columns) != 5:
        raise ValueError("events need five columns")
    time_ms, pair, name, kind, value = (
        unpack(text, dtype, n) for text, dtype in zip(columns, ("<i8", "<i2", "i1", "i1", "<f8"), strict=True)
    )
    if n and not (name.min() >= 0 and name.max() < len(NAMES) and kind.min() >= 0 and kind.max() <= HASH):
        raise ValueError("an event has no name")
    if n and not (INSTANTS_MS[0] <= time_ms.min() and time_ms.max() <= INSTANTS_MS[1]):
        raise ValueError("an event lies outside time")
    indices = value[kind == TEXT]
    if len(indices) and not (np.isfinite(indices).all() and indices.min() >= 0 and indices.max() < len(texts)):
        raise ValueError("an event names a text that is not there")
    return Events(time_ms, pair, name, kind, value, tuple(texts))
