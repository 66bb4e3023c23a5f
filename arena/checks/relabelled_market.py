"""
Puts the same market under other names: nothing that a strategy sees there tells the date, and the market is the same.
Pure.

A pair becomes a row of moves on a grid without gaps: from the last close to the open, from open to close, the two
wicks, the volume. Everything that could identify a date is drawn anew: levels of price and of volume, the last digits
of every move, which of the smallest moves are zero, where candles are missing, ticks, the number of candles, and the
first and the last date. What a rule about a market uses stays: returns, ranges and volumes relative to their usual
ones, weekday and hour, one pair beside another.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.market.candle_tables import Tables
from arena.market.scenarios import WEEK_MS, Ticks
from arena.records import Window
from arena.stats.metrics import DAY_MS

SHIFTS = (8, 44)
"""Weeks by which dates move back: a table of days that is a little off does not fit, and no month falls on itself."""
PRICE_FACTORS = (0.3, 0.6), (1.7, 3.0)
TURNOVER_FACTORS = (0.4, 0.65), (1.6, 2.6)
"""Factors of price times volume. A floor of liquidity that held by a margin still holds."""
SAME = 0.3
"""A volume changes by a factor at least this far from 1. Otherwise two factors could cancel out and change nothing."""
JITTER = 0.12, 0.03
"""
Shares of the pair's usual move at that time by which prices change: for each candle by itself, and for each of
SCALES_MS. The changes do not accumulate: a move of a month stays what it was.
"""
VOLUME_JITTER = 0.08, 0.05
"""Shares by which volumes change in the same way."""
WICK_JITTER = 0.1
"""Share of its own size by which a wick or a gap changes."""
SCALES_MS = (DAY_MS // 4, 2 * DAY_MS, 2 * WEEK_MS)
USUAL_DAYS = 28
"""Days over which a pair's usual move is averaged."""
SMALL_TICKS, SMALL_SHARE = 2.5, 0.5
"""
Gaps and wicks of at most this many ticks, or WICK_JITTER of the usual move, swap places among themselves. Those above
this share of the usual move never do.
"""
HOLE_WEEKS = 26
"""Most weeks by which a hole moves."""
EARLY, LATE = (12, 4), (24, 6)
"""The run begins a 12th to a 4th of the counted range before it, and ends a 24th to a 6th after it."""
LEAST_DAYS = 7
LISTING_DAYS = 60, 28, 14
"""
Most days by which a pair's first date moves: back if it lies before the counted range, on if it lies in it; and by
which its last date moves back.
"""

_TRADED, _QUIET, _MISSING = 0, 1, 2
_GAP, _BODY, _UPPER, _LOWER, _VOLUME = range(5)


@dataclass(frozen=True, slots=True)
class Relabelled:
    tables: Tables
    ticks: Ticks
    shift_ms: int  # what was added to every date
    early_ms: int  # the run begins this long before the counted range
    late_ms: int  # the run ends this long after the counted range


@dataclass(slots=True)
class _Row:
    """One pair on its grid: logarithms of moves, unchanged volumes, and the state of each candle."""

    first_ms: int
    step_ms: int
    price: float  # the first open that was stored
    anchor: int  # index of the candle with that open
    moves: NDArray[np.float64]  # (n, 5): gap, body, upper and lower wick (0 or more), volume
    state: NDArray[np.int8]

    @property
    def times(self) -> NDArray[np.int64]:
        return self.first_ms + self.step_ms * np.arange(len(self.state), dtype=np.int64)

    @property
    def week(self) -> int:
        """Candles of a week."""
        return max(WEEK_MS // self.step_ms, 1)


def relabelled(tables: Tables, tick: Ticks, counted: Window, step_ms: int, rng: np.random.Generator) -> Relabelled:
    """
    Relabels the market and adds candles before and after it, so that a run over `counted`, under its new dates, can
    begin `early_ms` sooner and end `late_ms` later.
    """
    shift = -int(rng.integers(SHIFTS[0], SHIFTS[1] + 1)) * WEEK_MS
    early, late = _margin(counted, EARLY, rng), _margin(counted, LATE, rng)
    lead = early + int(rng.integers(LEAST_DAYS, LISTING_DAYS[0] + 1)) * DAY_MS
    first_ms = min((int(table[0, 0]) for table in tables.values() if len(table)), default=0)
    new_tables: Tables = {}
    ticks: Ticks = {}
    for pair, table in tables.items():
        if not len(table):
            new_tables[pair], ticks[pair] = table.copy(), []
            continue
        sizes = [size for _, size in tick.get(pair, []) if 0 < size < np.inf]
        row = _row(table, step_ms)
        _move_holes(row, rng)
        row = _listed(row, counted, first_ms, lead, late + DAY_MS, rng)
        _jitter(row, _relative_ticks(row, tick.get(pair, [])), rng)
        size = min(sizes, default=1.0) / 10
        new_tables[pair], ticks[pair] = _table(row, shift, size, rng), [(row.first_ms + shift, size)]
    return Relabelled(new_tables, ticks, shift, early, late)


def _margin(counted: Window, parts: tuple[int, int], rng: np.random.Generator) -> int:
    least, most = ((counted.end_ms - counted.start_ms) // DAY_MS // part for part in parts)
    return int(rng.integers(max(least, LEAST_DAYS), max(most, 2 * LEAST_DAYS) + 1)) * DAY_MS


def _two_sided(factors: tuple[tuple[float, float], tuple[float, float]], rng: np.random.Generator) -> float:
    return float(rng.uniform(*factors[int(rng.random() < 0.5)]))


def _factors(rng: np.random.Generator) -> tuple[float, float]:
    """Draws factors of price and volume."""
    while True:
        price = _two_sided(PRICE_FACTORS, rng)
        volume = _two_sided(TURNOVER_FACTORS, rng) / price
        if abs(np.log(volume)) > np.log(1 + SAME):
            return price, volume


# ---- a table as a row of moves, and back ----


def _row(table: NDArray[np.float64], step_ms: int) -> _Row:
    """A missing candle has no moves, and neither has a stored one that is flat and without volume."""
    at = ((table[:, 0] - table[0, 0]) // step_ms).astype(np.int64)
    state = np.full(int(at[-1]) + 1, _MISSING, dtype=np.int8)
    quiet = (table[:, 5] == 0) & (table[:, 1:5] == table[:, [1]]).all(axis=1)
    state[at] = np.where(quiet, _QUIET, _TRADED)
    moves = np.zeros((len(state), 5))
    o, high, low, close = np.log(table[:, 1:5]).T
    moves[at, _GAP] = o - np.concatenate([o[:1], close[:-1]])
    moves[at, _GAP] *= table[:, 1] != np.concatenate([table[:1, 1], table[:-1, 4]])  # exactly zero if they are equal
    moves[at, _BODY] = close - o
    moves[at, _UPPER] = high - np.maximum(o, close)
    moves[at, _LOWER] = np.minimum(o, close) - low
    moves[at, _VOLUME] = table[:, 5]
    return _Row(int(table[0, 0]), step_ms, float(table[0, 1]), 0, moves, state)


def _levels(row: _Row) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns logarithms of opens and closes. An open without a gap is the close before it to the last bit."""
    close = np.cumsum(row.moves[:, _GAP] + row.moves[:, _BODY])
    close += np.log(row.price) - (close[row.anchor] - row.moves[row.anchor, _BODY])
    before = np.concatenate([[close[0] - row.moves[0, _GAP] - row.moves[0, _BODY]], close[:-1]])
    return before + row.moves[:, _GAP], close


def _table(row: _Row, shift: int, tick: float, rng: np.random.Generator) -> NDArray[np.float64]:
    price, volume = _factors(rng)
    o, close = _levels(row)
    close = np.where(row.state == _TRADED, close, o)
    values = np.column_stack(
        [o, np.maximum(o, close) + row.moves[:, _UPPER], np.minimum(o, close) - row.moves[:, _LOWER], close]
    )
    prices = np.maximum(np.round(price * np.exp(values), round(-np.log10(tick))), tick)
    return np.column_stack([row.times + shift, prices, volume * row.moves[:, _VOLUME]])[row.state != _MISSING]


# ---- where candles are missing, and how many there are ----


def _move_holes(row: _Row, rng: np.random.Generator) -> None:
    """
    Swaps candles that are missing or without any trade with others of the same weekday and hour, a few weeks away. A
    hole that comes every week stays, and so does one of more than a week.
    """
    for first, end in list(_holes(row.state)):
        n = end - first
        for weeks in rng.permutation(np.concatenate([np.arange(-HOLE_WEEKS, 0), np.arange(1, HOLE_WEEKS + 1)])):
            other = first + int(weeks) * row.week
            if (
                n <= row.week
                and other > 0
                and other + n < len(row.state)
                and (row.state[other - 1 : other + n + 1] == _TRADED).all()
            ):
                _exchange(row, slice(first, end), slice(other, other + n))
                break


def _exchange(row: _Row, hole: slice, other: slice) -> None:
    """
    Swaps a hole and another stretch; all other prices stay. The moves of the new hole go into the gap after it; in the
    old hole the moves sum to zero.
    """
    n = hole.stop - hole.start
    moves, state = row.moves[other].copy(), row.state[other].copy()
    total = float(moves[:, [_GAP, _BODY]].sum())
    row.moves[other], row.state[other] = row.moves[hole], row.state[hole]
    row.moves[other.stop, _GAP] += total
    moves[:, _BODY] -= total / n
    row.moves[hole], row.state[hole] = moves, state


def _holes(state: NDArray[np.int8]) -> Iterator[tuple[int, int]]:
    """Yields first and end of each stretch without trades."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], state != _TRADED, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _listed(row: _Row, counted: Window, market_start_ms: int, lead: int, late: int, rng: np.random.Generator) -> _Row:
    """
    Changes the first and the last date. A pair that exists when the counted range begins starts sooner, and one that
    starts inside the range starts later. A pair that ends before the range does ends sooner.
    """
    back, on, end = (int(rng.integers(1, days + 1)) * DAY_MS // row.step_ms for days in LISTING_DAYS)
    n, before, after = len(row.state), lead // row.step_ms, late // row.step_ms
    if row.first_ms > counted.start_ms:
        row, before = _without(row, min(on, n // 4), 0), 0
    elif row.first_ms > market_start_ms + DAY_MS:
        before += back
    if row.times[-1] < counted.end_ms - 2 * DAY_MS:
        row, after = _without(row, 0, min(end, n // 4)), 0
    return _extended(row, before, after, rng)


def _without(row: _Row, first: int, last: int) -> _Row:
    """Removes this many candles at the two ends, and a hole that is at an end then."""
    o, _ = _levels(row)
    kept = np.flatnonzero(row.state[first : len(row.state) - last] != _MISSING) + first
    part = slice(kept[0], kept[-1] + 1)
    price = float(np.exp(o[part.start]))
    return _Row(int(row.times[part.start]), row.step_ms, price, 0, row.moves[part].copy(), row.state[part].copy())


def _extended(row: _Row, before: int, after: int, rng: np.random.Generator) -> _Row:
    """
    Adds candles before the first and after the last, each drawn from all with its weekday and hour, so that they do not
    show the pair's own history in advance.
    """
    n = len(row.state)
    places = np.concatenate([np.arange(-before, 0), np.arange(n, n + after)])
    phase = places % row.week
    weeks = np.maximum((n - phase + row.week - 1) // row.week, 1)
    source = np.minimum(phase + row.week * (rng.random(len(places)) * weeks).astype(np.int64), n - 1)
    moves, state = row.moves[source], row.state[source]
    whole = np.concatenate([moves[:before], row.moves, moves[before:]])
    states = np.concatenate([state[:before], row.state, state[before:]])
    return _Row(row.first_ms - before * row.step_ms, row.step_ms, row.price, row.anchor + before, whole, states)


# ---- the moves themselves ----


def _jitter(row: _Row, tick: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Adds noise to the moves. `tick` is each candle's tick as a share of its price."""
    traded = row.state == _TRADED
    if not traded.any():
        return
    usual = _usual(np.abs(row.moves[:, _BODY]), traded, USUAL_DAYS * DAY_MS // row.step_ms)
    small = np.maximum(WICK_JITTER * usual, np.minimum(SMALL_TICKS * tick, SMALL_SHARE * usual))
    # noise at each candle's close; without a trade, that of the last trade
    last = np.maximum.accumulate(np.where(traded, np.arange(len(traded)), 0))
    row.moves[:, _BODY] += np.diff((usual * _noise(row, JITTER, rng))[last], prepend=0.0)
    for column in (_GAP, _UPPER, _LOWER):
        values = row.moves[:, column]
        is_small = traded & (np.abs(values) <= small)
        is_large = traded & ~is_small
        values[is_small] = rng.permutation(values[is_small] / np.maximum(usual[is_small], 1e-12)) * usual[is_small]
        values[is_large] *= np.exp(WICK_JITTER * rng.standard_normal(int(is_large.sum())))
    row.moves[:, _VOLUME] *= np.exp(_noise(row, VOLUME_JITTER, rng))


def _usual(sizes: NDArray[np.float64], traded: NDArray[np.bool_], n: int) -> NDArray[np.float64]:
    """Returns the mean size of moves in the n candles around each."""
    sums, counts = (
        np.concatenate([[0.0], np.cumsum(values)]) for values in (np.where(traded, sizes, 0.0), traded.astype(float))
    )
    at = np.arange(len(sizes))
    first, end = np.maximum(at - n // 2, 0), np.minimum(at + n // 2 + 1, len(sizes))
    return (sums[end] - sums[first]) / np.maximum(counts[end] - counts[first], 1.0)


def _relative_ticks(row: _Row, tick: list[tuple[int, float]]) -> NDArray[np.float64]:
    """
    Returns each candle's tick (that of its month) as a share of its open. Without any, the tick is 1: whole prices.
    """
    o, _ = _levels(row)
    if not tick:
        return np.exp(-o)
    at = np.maximum(np.searchsorted([ms for ms, _ in tick], row.times, side="right") - 1, 0)
    return np.array([size for _, size in tick])[at] * np.exp(-o)


def _noise(row: _Row, sizes: tuple[float, float], rng: np.random.Generator) -> NDArray[np.float64]:
    """
    Returns noise for each candle by itself plus, on every scale, a line between random points, so that sums over a day
    or a week change as well.
    """
    n = len(row.state)
    noise = sizes[0] * rng.standard_normal(n)
    for scale in SCALES_MS:
        candles = scale / row.step_ms
        if candles > 1:
            knots = rng.standard_normal(int(n / candles) + 2)
            noise += sizes[1] * np.interp(np.arange(n) / candles, np.arange(len(knots)), knots)
    return noise
