"""
What a strategy decided, as arrays that can be compared between two worlds, and how they travel as text.

The worker packs, the trusted process unpacks; both directions are here so that they stay in step. Packed arrays are
base64 of zlib; unpacking is bounded by the size that is expected, whatever the text claims to hold.
"""

import base64
import binascii
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

CALLBACKS = (
    "bot_loop_start", "check_entry_timeout", "check_exit_timeout", "confirm_trade_entry", "confirm_trade_exit", "order_filled",
    "custom_stoploss", "custom_roi", "custom_entry_price", "custom_exit_price", "custom_exit", "custom_stake_amount",
    "adjust_trade_position", "adjust_entry_price", "adjust_exit_price", "adjust_order_price", "leverage", "lock_pair",
    "custom_sell", "check_buy_timeout", "check_sell_timeout",
)  # fmt: skip
"""What FreqTrade asks a strategy while candles pass; the last three are old names that it still asks."""
PLACED = ("entry price", "entry amount", "exit price", "exit amount", "exit asked", "filled")
"""What an order says when it is placed and filled; before an exit, its kind, as an index into ORDER_KINDS."""
NAMES = (*CALLBACKS, *PLACED)
"""What an event can be; its number is the index here."""
LEAD_MS = 86_400_000
"""Signals are told from this long before the range on: the one right before it trades at its start."""
MAX_EVENTS = 5_000_000
MAX_TEXTS = 5_000
MAX_TEXT = 100
STAKE = "custom_stake_amount"
MAX_STAKES = 100_000
"""Candles at which custom_stake_amount is asked beside FreqTrade's loop, of all pairs together."""
MAX_TAGS = 5000
"""Distinct tags that are told as texts."""
MAX_TAG = 255
"""Characters of one, as in FreqTrade's database."""
MAX_SIGNAL_TAG = 1000
"""Characters of a tag in a signal's column."""
MAX_PARAMETER = 1000
"""Characters of a parameter that is told as it is; a longer one ends in a hash of the whole."""
INSTANTS_MS = (-62_135_596_800_000, 253_402_300_799_999)
"""The years 1 to 9999: an instant outside them has no name that a message could show."""

_FLOAT, _TEXT, _HASH = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Signals:
    """One pair's signal columns. Arrays have shape (n_candles,): candle k opens at `start_ms + k * step_ms`."""

    start_ms: int
    enter: NDArray[np.bool_]
    exit: NDArray[np.bool_]
    enter_tag: NDArray[np.uint64]  # a hash of the tag; 0 without one
    exit_tag: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Events:
    """Answers of callbacks and placed orders in the order in which they came. All arrays have shape (n_events,)."""

    time_ms: NDArray[np.int64]  # open time of the candle that was simulated
    pair: NDArray[np.int16]  # index into the arena's pairs, -1 where none is named
    name: NDArray[np.int8]  # index into NAMES
    kind: NDArray[np.int8]  # how to read `value`: a number, a text's index, a hash
    value: NDArray[np.float64]
    texts: tuple[str, ...]
    given: NDArray[np.int64] | None = None  # (n_events, 2) see `Recorder.given`; of twins alone

    def __len__(self) -> int:
        return len(self.time_ms)

    def between(self, since_ms: int | None, until_ms: int | None) -> "Events":
        """Those of candles that open at one instant or later and before another; None is no border."""
        inside = np.ones(len(self), dtype=np.bool_) if since_ms is None else self.time_ms >= since_ms
        inside = inside if until_ms is None else inside & (self.time_ms < until_ms)
        return Events(*(getattr(self, name)[inside] for name in ("time_ms", "pair", "name", "kind", "value")), self.texts)

    def answer(self, k: int) -> float | str:
        """What was answered, to compare and to show."""
        value = float(self.value[k])
        if self.kind[k] == _FLOAT:
            return value
        return self.texts[int(value)] if self.kind[k] == _TEXT else f"text {value:.0f}"


@dataclass(frozen=True, slots=True)
class Labels:
    """What a strategy calls its signals and orders, and since when it waits for them. No figure hangs on it. Arrays: (n_orders,)."""

    texts: tuple[str, ...] = ()  # tags of signals and orders, each once
    order: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # index into `texts`, -1: not told
    opened_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # when its trade's first order was placed


@dataclass(frozen=True, slots=True)
class Stakes:
    """One pair's answers of custom_stake_amount over what was proposed. Arrays have shape (n_entries,)."""

    open_ms: NDArray[np.int64]  # ascending: candles in which the pair may enter
    scale: NDArray[np.float64]  # 0 or more; nan: no share of what was proposed


@dataclass(frozen=True, slots=True)
class Decisions:
    """All that a strategy decided between two instants."""

    signals: dict[str, Signals] = field(default_factory=dict)  # by pair
    parameters: dict[str, str] = field(default_factory=dict)  # read after the populate functions
    events: Events | None = None
    stakes: dict[str, Stakes] | None = None  # by pair, where custom_stake_amount alone decides on the way; None: not asked


class Recorder:
    """The worker's list of events while FreqTrade runs."""

    def __init__(self, pairs: Iterable[str]) -> None:
        self.pairs = {pair: i for i, pair in enumerate(pairs)}
        self.names = {name: i for i, name in enumerate(NAMES)}
        self.rows: list[tuple[int, int, int, int, float]] = []
        self.texts: dict[str, int] = {}
        self.given: list[tuple[int, int]] | None = None
        """Of each event two hashes of what the callback was handed: numbers and texts, and the trade's highest and lowest rate."""

    def note(self, time_ms: int, pair: str, name: str, answer: object, given: tuple[int, int] = (0, 0)) -> None:
        """`answer` as FreqTrade got it; texts and numbers keep their value, everything else its printed form."""
        if self.given is not None:
            self.given.append(given)
        if type(answer) is float or (isinstance(answer, (int, float)) and not isinstance(answer, bool)):
            kind, value = _FLOAT, _number(answer)
        else:
            kind, value = self._text(repr(answer))
        self.rows.append((time_ms, self.pairs.get(pair, -1), self.names[name], kind, value))

    def _text(self, text: str) -> tuple[int, float]:
        known = self.texts.get(text)
        if known is None and len(self.texts) < MAX_TEXTS and len(text) <= MAX_TEXT:
            known = self.texts[text] = len(self.texts)
        if known is not None:
            return _TEXT, float(known)
        return _HASH, float(text_hash(text))

    def take(self) -> dict:
        """What was noted since the last time, packed."""
        rows, self.rows = self.rows, []
        columns = list(zip(*rows, strict=True)) if rows else [()] * 5
        types = ("<i8", "<i2", "i1", "i1", "<f8")
        packed = [pack(np.array(column, dtype=kind)) for column, kind in zip(columns, types, strict=True)]
        return {"n": len(rows), "columns": packed, "texts": list(self.texts)}


def inside(times: NDArray[np.int64], spans: list[list[int]]) -> NDArray[np.bool_]:
    """Which instants, in milliseconds, lie in one of the spans, both ends included; spans may overlap."""
    since, until = np.sort(np.array(spans, dtype=np.int64).reshape(-1, 2), axis=0).T
    return np.searchsorted(since, times, side="right") > np.searchsorted(until, times)  # more have begun than have ended before


def tag_hash(text: str) -> int:
    """What stands for a tag in Signals: 64 bits, never 0; an empty one has its own."""
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()) or 1


def text_hash(text: str) -> int:
    """What stands for a text that is not told: 48 bits."""
    return int.from_bytes(blake2b(text.encode(errors="replace"), digest_size=6).digest())


def _number(answer: float) -> float:
    try:
        return float(answer)
    except OverflowError:  # an integer beyond all floats
        return math.inf if answer > 0 else -math.inf


def pack(values: NDArray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 1)).decode()


def unpack(text: str, dtype: str, n: int) -> NDArray:
    """An array of exactly n values. Raises ValueError for anything else, before it would take more memory than that."""
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
    """Raises ValueError for what is not a packed pair."""
    bits = [np.unpackbits(unpack(text, "u1", (n + 7) // 8), count=n).astype(np.bool_) for text in (enter, exit)]
    return Signals(start_ms, *bits, *(unpack(text, "<u8", n) for text in (enter_tag, exit_tag)))


def unpack_events(n: int, columns: list[str], texts: list[str]) -> Events:
    """Raises ValueError for what is not a packed list of events, or one that names what does not exist."""
    if len(columns) != 5:
        raise ValueError("events need five columns")
    time_ms, pair, name, kind, value = (
        unpack(text, dtype, n) for text, dtype in zip(columns, ("<i8", "<i2", "i1", "i1", "<f8"), strict=True)
    )
    if n and not (0 <= name.min() and name.max() < len(NAMES) and 0 <= kind.min() and kind.max() <= _HASH):
        raise ValueError("an event has no name")
    if n and not (INSTANTS_MS[0] <= time_ms.min() and time_ms.max() <= INSTANTS_MS[1]):
        raise ValueError("an event lies outside time")
    indices = value[kind == _TEXT]
    if len(indices) and not (np.isfinite(indices).all() and 0 <= indices.min() and indices.max() < len(texts)):
        raise ValueError("an event names a text that is not there")
    return Events(time_ms, pair, name, kind, value, tuple(texts))
