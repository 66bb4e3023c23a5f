"""
Alternative worlds: the real candles cut, turned from an instant on, or continued. Pure.

A strategy that knows only the past decides the same in worlds with the same past. Tables are those of `candle_tables`.
Every new price is rounded to its month's tick, because more decimals would reveal that it is invented.
"""

import numpy as np
from numpy.typing import NDArray

from arena.market import candles
from arena.market.candle_tables import Tables, frame
from arena.market.candles import PRICES
from arena.stats.metrics import DAY_MS

WEEK_MS = candles.step_ms("1w")
CONTINUED_DAYS = 60
POWERS = (1.0, 0.6, 1.5, -2.0)
"""
Exponents that turn candles. The negative one keeps the direction and goes further, so undoing the transform reveals
nothing.
"""
DETOURS = (60, 240)
"""
Shortest and longest detour, in candles. A longer one catches strategies that look further ahead, but affects their
later decisions longer.
"""
_WHOLE = [(0, 1.0)]
"""Ticks of a pair that has none: it has whole prices only."""

Ticks = dict[str, list[tuple[int, float]]]
"""By pair: start of each month in milliseconds, and its tick; months without a tick are left out."""


def cut(tables: Tables, start_ms: int | None, end_ms: int | None) -> Tables:
    """Candles that open at `start_ms` or later and before `end_ms`; None means no limit."""
    low, high = (-np.inf if start_ms is None else start_ms), (np.inf if end_ms is None else end_ms)
    return {pair: table[(table[:, 0] >= low) & (table[:, 0] < high)] for pair, table in tables.items()}


def ticks(tables: Tables, start_ms: int) -> Ticks:
    """Tick sizes by month, as FreqTrade derives them from candles from `start_ms` on."""
    ticks_by_pair: Ticks = {}
    for pair, table in cut(tables, start_ms, None).items():
        series = candles.tick_sizes(frame(table)).dropna() if len(table) else {}
        ticks_by_pair[pair] = [(int(month.timestamp() * 1000), float(tick)) for month, tick in series.items()]
    return ticks_by_pair


def turned(tables: Tables, at_ms: int, power: float, tick: Ticks) -> Tables:
    """
    From `at_ms` on prices move the other way: price -> open * (open / price) ** power. `open` is the open at `at_ms`,
    which stays.

    A negative power keeps the direction and stretches the move; a positive one swaps high and low. Candles before
    `at_ms` and pairs without a candle at or after it stay unchanged.
    """
    worlds = {}
    for pair, table in tables.items():
        later = table[:, 0] >= at_ms
        altered = table.copy()
        if later.any():
            origin = float(table[later][0, 1])
            values = origin * (origin / table[later, 1:5]) ** power
            if power > 0:
                values = values[:, [0, 2, 1, 3]]
            altered[later, 1:5] = _consistent(_rounded(values, table[later, 0], tick.get(pair) or _WHOLE))
            altered[np.argmax(later), 1] = origin
            altered[later] = _enclosed(altered[later])
        worlds[pair] = altered
    return worlds


def traded_otherwise(tables: Tables, at_ms: int, rng: np.random.Generator) -> Tables:
    """
    Volumes from `at_ms` on in another order, or, if there is only one, several times as large or small; prices stay.
    """
    worlds = {}
    for pair, table in tables.items():
        altered = table.copy()
        later = np.flatnonzero(table[:, 0] >= at_ms)
        if len(later) == 1:
            volume = table[later, 5]
            altered[later, 5] = np.round(volume * _factor(rng), _decimals(float(volume[0])))
        else:
            altered[later, 5] = rng.permutation(table[later, 5])
        worlds[pair] = altered
    return worlds


def detoured(tables: Tables, borders: list[int], step_ms: int, tick: Ticks, rng: np.random.Generator) -> Tables:
    """
    The same market with a detour of DETOURS candles from each border on: prices turn there, by one power for all pairs,
    and return to the true ones in its last part. Length, power and part are drawn for each detour, and gaps stay gaps,
    so code cannot recognise a detour by a fixed number. Volumes are in another order.
    """
    worlds = {pair: table.copy() for pair, table in tables.items()}
    for border in borders:
        power = float(rng.uniform(0.5, 1.7) if rng.random() < 0.75 else rng.uniform(-2.5, -1.5))
        length, turning = int(rng.integers(DETOURS[0], DETOURS[1] + 1)), float(rng.uniform(0.6, 0.85))
        for pair, altered in worlds.items():
            first, end = np.searchsorted(altered[:, 0], (border, border + length * step_ms))
            if end > first:
                altered[first:end] = _detour(altered[first:end], power, turning, tick.get(pair) or _WHOLE, rng)
    return worlds


def _detour(
    true: NDArray[np.float64], power: float, turning: float, tick: list[tuple[int, float]], rng: np.random.Generator
) -> NDArray[np.float64]:
    """One pair's detour; `turning` is the share of its candles after which it returns to the true prices."""
    altered, n = true.copy(), len(true)
    n_away = min(max(int(turning * n), 1), max(n - 1, 1))
    back = np.clip(np.arange(1 - n_away, n - n_away + 1) / max(n - n_away, 1), 0, 1)  # how far each close has returned
    opened = np.append(0.0, back[:-1])  # an open has returned as far as the close before it
    shares = np.column_stack([opened, back, back, back])
    origin, prices = true[0, 1], true[:, 1:5]
    altered[:, 1:5] = _rounded((origin * (origin / prices) ** power) ** (1 - shares) * prices**shares, true[:, 0], tick)
    altered[0, 1] = origin
    altered[:, 5] = rng.permutation(true[:, 5])
    return _enclosed(altered)


def closed_otherwise(tables: Tables, tick: Ticks, rng: np.random.Generator) -> Tables:
    """
    One candle per pair with the same open, high and low and another close, usually on the other side of the open.
    FreqTrade's rules act the same there, except for a target in the candle of an entry below the open.
    """
    worlds = {}
    for pair, table in tables.items():
        altered = table.copy()
        for row in altered:
            row[4] = _other_close(row, tick.get(pair) or _WHOLE, rng)
        worlds[pair] = altered
    return worlds


def reached_otherwise(tables: Tables, keep: dict[str, str], tick: Ticks, rng: np.random.Generator) -> Tables:
    """
    One candle per pair with the same open and the same low or high (`keep` names it, else it is random). The other
    extreme is nearer to the open or further away, and the close differs. Prices that the kept side touches are still
    touched.
    """
    worlds = {}
    for pair, table in tables.items():
        altered, sizes = table.copy(), tick.get(pair) or _WHOLE
        for row in altered:
            side = 2 if keep.get(pair, rng.choice(["low", "high"])) == "low" else 3  # column of the extreme that moves
            span = abs(row[side] - row[1]) or row[2] - row[3] or 0.01 * row[1]
            sign = 1.0 if side == 2 else -1.0
            row[side] = _on_tick(row[1] + sign * span * _factor(rng), row[0], sizes)
            row[side] = max(row[side], row[1]) if side == 2 else min(row[side], row[1])
            row[4] = _other_close(row, sizes, rng)
        worlds[pair] = altered
    return worlds


def _other_close(row: NDArray[np.float64], tick: list[tuple[int, float]], rng: np.random.Generator) -> float:
    """A price between low and high other than the close; the close where there is no other."""
    _, open_, high, low, close, _ = row
    # the side is random, so inverting the close reveals nothing
    rises = bool(close > open_) != bool(rng.random() < 0.75)
    inside = (open_, high) if rises else (low, open_)
    others = [other for other in (open_, high, low) if other != close]
    price = float(np.clip(_on_tick(rng.uniform(*inside), row[0], tick), low, high))
    return price if price != close or not others else float(rng.choice(others))


def _on_tick(price: float, at_ms: float, tick: list[tuple[int, float]]) -> float:
    return float(_rounded(np.array([[price]]), np.array([at_ms]), tick)[0, 0])


def _factor(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.2, 0.7) if rng.random() < 0.5 else rng.uniform(1.4, 3.0))


def _decimals(number: float) -> int:
    """Decimals of the number's shortest text; more would reveal that it is invented."""
    return len(f"{number:.8f}".rstrip("0").split(".")[1])


def continued(tables: Tables, end_ms: int, step_ms: int, tick: Ticks) -> Tables:
    """
    Invented candles after `end_ms`, for an arena without validation range: repeats the first weeks of each pair, joined
    to its last close.
    """
    worlds = {}
    for pair, table in tables.items():
        history = table[table[:, 0] <= end_ms]
        repeated = history[: CONTINUED_DAYS * DAY_MS // step_ms].copy()
        if len(repeated) < 2 or history[-1, 0] < end_ms - step_ms:
            worlds[pair] = history
            continue
        repeated[:, 0] += history[-1, 0] + step_ms - repeated[0, 0]
        repeated[:, 1:5] *= history[-1, 4] / repeated[0, 1]
        repeated[:, 1:5] = _consistent(_rounded(repeated[:, 1:5], repeated[:, 0], tick.get(pair) or _WHOLE))
        worlds[pair] = np.concatenate([history, repeated])
    return worlds


def _rounded(
    values: NDArray[np.float64], times: NDArray[np.float64], tick: list[tuple[int, float]]
) -> NDArray[np.float64]:
    """Round to each month's tick. Ticks are powers of ten, so rounding to decimals leaves no other digits."""
    if not tick:
        return values
    months = np.searchsorted([ms for ms, _ in tick], times, side="right") - 1
    rounded = values.copy()
    for month in np.unique(months):
        rows = months == month
        size = tick[max(int(month), 0)][1]
        if not 0 < size < np.inf:
            continue  # FreqTrade's integer overflow from 19 decimals on: such prices have no tick
        rounded[rows] = np.maximum(np.round(values[rows], round(-np.log10(size))), size)
    return rounded


def _consistent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) with the high not below and the low not above open and close, which rounding and jitter can break."""
    assert len(PRICES) == values.shape[1], "open, high, low, close"
    widened = values.copy()
    widened[:, 1] = values.max(axis=1)
    widened[:, 2] = values.min(axis=1)
    return widened


def _enclosed(table: NDArray[np.float64]) -> NDArray[np.float64]:
    widened = table.copy()
    widened[:, 1:5] = _consistent(table[:, 1:5])
    return widened
