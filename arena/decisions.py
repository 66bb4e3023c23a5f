"""
Arrays of what a strategy decided: signals, answers of callbacks, orders, labels, shares of stakes. Comparable between
two markets.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

CALLBACKS = (
    "bot_loop_start", "check_entry_timeout", "check_exit_timeout", "confirm_trade_entry", "confirm_trade_exit",
    "order_filled", "custom_stoploss", "custom_roi", "custom_entry_price", "custom_exit_price", "custom_exit",
    "custom_stake_amount", "adjust_trade_position", "adjust_entry_price", "adjust_exit_price", "adjust_order_price",
    "leverage", "lock_pair", "custom_sell", "check_buy_timeout", "check_sell_timeout",
)  # fmt: skip
"""What FreqTrade asks a strategy while candles pass; the last three are old names that it still asks."""


PLACED = ("entry price", "entry amount", "exit price", "exit amount", "exit asked", "filled")
"""
Events when an order is placed and filled. "exit asked" comes before an exit and holds its kind, as an index into
ORDER_KINDS.
"""


NAMES = (*CALLBACKS, *PLACED)
"""All that an event can be; its number is the index here."""


LEAD_MS = 86_400_000
"""Signals start this long before the range, because the one right before it trades at its start."""


MAX_TEXT = 100


STAKE = "custom_stake_amount"


INSTANTS_MS = (-62_135_596_800_000, 253_402_300_799_999)
"""The years 1 to 9999. A message cannot show an instant outside them."""


FLOAT, TEXT, HASH = 0, 1, 2
"""Kinds of an event's value: a number, the index of a text, a hash of a longer text."""


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
    given: NDArray[np.int64] | None = None  # (n_events, 2) see `EventLog.given`; only of twins

    def __len__(self) -> int:
        return len(self.time_ms)

    def between(self, since_ms: int | None, until_ms: int | None) -> "Events":
        """Returns the events of candles that open at `since_ms` or later and before `until_ms`; None is no border."""
        inside = np.ones(len(self), dtype=np.bool_) if since_ms is None else self.time_ms >= since_ms
        inside = inside if until_ms is None else inside & (self.time_ms < until_ms)
        return Events(
            self.time_ms[inside],
            self.pair[inside],
            self.name[inside],
            self.kind[inside],
            self.value[inside],
            self.texts,
        )

    def answer(self, k: int) -> float | str:
        """Returns what was answered, to compare and to show."""
        value = float(self.value[k])
        if self.kind[k] == FLOAT:
            return value
        return self.texts[int(value)] if self.kind[k] == TEXT else f"text {value:.0f}"


@dataclass(frozen=True, slots=True)
class Labels:
    """
    The names that a strategy gives its signals and orders, and when each trade's first order was placed. No figure
    depends on them. Arrays: (n_orders,).
    """

    texts: tuple[str, ...] = ()  # tags of signals and orders, each once
    # index into `texts`, -1: not told
    order: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    # when its trade's first order was placed
    opened_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Stakes:
    """One pair's answers of custom_stake_amount divided by the proposed stakes. Arrays have shape (n_entries,)."""

    open_ms: NDArray[np.int64]  # ascending: candles in which the pair may enter
    scale: NDArray[np.float64]  # 0 or more; nan: no share of what was proposed


@dataclass(frozen=True, slots=True)
class Decisions:
    """All that a strategy decided between two instants."""

    signals: dict[str, Signals] = field(default_factory=dict)  # by pair
    parameters: dict[str, str] = field(default_factory=dict)  # read after the populate functions
    events: Events | None = None
    # by pair, if custom_stake_amount is the only callback that decides; None: not asked
    stakes: dict[str, Stakes] | None = None


def inside(times: NDArray[np.int64], spans: list[list[int]]) -> NDArray[np.bool_]:
    """Returns which instants, in milliseconds, lie in one of the spans, both ends included; spans may overlap."""
    since, until = np.sort(np.array(spans, dtype=np.int64).reshape(-1, 2), axis=0).T
    # an instant is inside if more spans have begun than have ended before it
    return np.searchsorted(since, times, side="right") > np.searchsorted(until, times)


def tag_hash(text: str) -> int:
    """Returns the hash that stands for a tag in Signals: 64 bits, never 0. An empty tag has its own."""
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()) or 1


def text_hash(text: str) -> int:
    """Returns the hash that stands for a text that is not kept: 48 bits."""
    return int.from_bytes(blake2b(text.encode(errors="replace"), digest_size=6).digest())
