"""
Other worlds than the one that happened: candles cut, turned round from an instant on, continued. Pure.

A strategy that knows only the past decides the same in worlds that share it. Tables are those of `grid`; every new
price is rounded to its month's tick, because a price with more decimals would be known for invented.
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
How candles turn; the negative one goes the same way, further: whoever undoes a turn cannot know that there was none.
"""
DETOURS = (60, 240)
"""
Candles of a detour, at least and at most: the longer it is, the further ahead it finds who looks, and the longer it is
remembered.
"""
_WHOLE = [(0, 1.0)]
"""A pair without any tick has whole prices only."""

Ticks = dict[str, list[tuple[int, float]]]
"""By pair: start of each month in milliseconds, and its tick; months without one are left out."""


def cut(tables: Tables, start_ms: int | None, end_ms: int | None) -> Tables:
    """Candles that open at `start_ms` or later and before `end_ms`; None is no border."""
    low, high = (-np.inf if start_ms is None else start_ms), (np.inf if end_ms is None else end_ms)
    return {pair: table[(table[:, 0] >= low) & (table[:, 0] < high)] for pair, table in tables.items()}


def ticks(tables: Tables, start_ms: int) -> Ticks:
    """Tick sizes by month as FreqTrade derives them from the candles that it loads from `start_ms` on."""
    found: Ticks = {}
    for pair, table in cut(tables, start_ms, None).items():
        series = candles.tick_sizes(frame(table)).dropna() if len(table) else {}
        found[pair] = [(int(month.timestamp() * 1000), float(tick)) for month, tick in series.items()]
    return found


def turned(tables: Tables, at_ms: int, power: float, tick: Ticks) -> Tables:
    """
    From `at_ms` on prices move the other way: price -> open * (open / price) ** power, with the open at `at_ms`, which
    stays.

    A negative power keeps the direction and stretches it. Candles before `at_ms` are the same; a pair that has no
    candle at or after it is as it was. High and low change places.
    """
    worlds = {}
    for pair, table in tables.items():
        later = table[:, 0] >= at_ms
        made = table.copy()
        if later.any():
            origin = float(table[later][0, 1])
            values = origin * (origin / table[later, 1:5]) ** power
            if power > 0:
                values = values[:, [0, 2, 1, 3]]
            made[later, 1:5] = _consistent(_rounded(values, table[later, 0], tick.get(pair) or _WHOLE))
            made[np.argmax(later), 1] = origin
            made[later] = _enclosed(made[later])
        worlds[pair] = made
    return worlds


def traded_otherwise(tables: Tables, at_ms: int, rng: np.random.Generator) -> Tables:
    """Volumes from `at_ms` on in another order, and a single one several times as large or as small; prices stay."""
    worlds = {}
    for pair, table in tables.items():
        made = table.copy()
        later = np.flatnonzero(table[:, 0] >= at_ms)
        if len(later) == 1:
            volume = table[later, 5]
            made[later, 5] = np.round(volume * _factor(rng), _decimals(float(volume[0])))
        else:
            made[later, 5] = rng.permutation(table[later, 5])
        worlds[pair] = made
    return worlds


def detoured(tables: Tables, borders: list[int], step_ms: int, tick: Ticks, rng: np.random.Generator) -> Tables:
    """
    The same market but for a detour of DETOURS candles from each border on: prices turn there, by one power for all
    pairs, and come back to the true ones in its last part. Length, power and part are drawn for each detour, and gaps
    stay what they are: nothing of a detour is a number that code could look for. Volumes are in another order.
    """
    worlds = {pair: table.copy() for pair, table in tables.items()}
    for border in borders:
        power = float(rng.uniform(0.5, 1.7) if rng.random() < 0.75 else rng.uniform(-2.5, -1.5))
        length, turning = int(rng.integers(DETOURS[0], DETOURS[1] + 1)), float(rng.uniform(0.6, 0.85))
        for pair, made in worlds.items():
            first, end = np.searchsorted(made[:, 0], (border, border + length * step_ms))
            if end > first:
                made[first:end] = _detour(made[first:end], power, turning, tick.get(pair) or _WHOLE, rng)
    return worlds


def _detour(
    true: NDArray[np.float64], power: float, turning: float, tick: list[tuple[int, float]], rng: np.random.Generator
) -> NDArray[np.float64]:
    """`turning` is the share of its candles after which it comes back."""
    made, n = true.copy(), len(true)
    away = min(max(int(turning * n), 1), max(n - 1, 1))
    back = np.clip(np.arange(1 - away, n - away + 1) / max(n - away, 1), 0, 1)  # how far each close has come back
    opened = np.append(0.0, back[:-1])  # an open is as far as the close before it
    shares = np.column_stack([opened, back, back, back])
    origin, prices = true[0, 1], true[:, 1:5]
    made[:, 1:5] = _rounded((origin * (origin / prices) ** power) ** (1 - shares) * prices**shares, true[:, 0], tick)
    made[0, 1] = origin
    made[:, 5] = rng.permutation(true[:, 5])
    return _enclosed(made)


def closed_otherwise(tables: Tables, tick: Ticks, rng: np.random.Generator) -> Tables:
    """
    One candle a pair with the same open, high and low and another close, most often on the other side of the open. All
    that FreqTrade does by its rules is the same there, but for a target in the candle of an entry below the open.
    """
    worlds = {}
    for pair, table in tables.items():
        made = table.copy()
        for row in made:
            row[4] = _other_close(row, tick.get(pair) or _WHOLE, rng)
        worlds[pair] = made
    return worlds


def reached_otherwise(tables: Tables, keep: dict[str, str], tick: Ticks, rng: np.random.Generator) -> Tables:
    """
    One candle a pair with the same open and the same low or high, as `keep` says or else one by chance, where the other
    extreme is nearer to the open or further away, and another close. What the kept side touches is touched there too.
    """
    worlds = {}
    for pair, table in tables.items():
        made, sizes = table.copy(), tick.get(pair) or _WHOLE
        for row in made:
            side = 2 if keep.get(pair, rng.choice(["low", "high"])) == "low" else 3  # of the extreme that moves
            span = abs(row[side] - row[1]) or row[2] - row[3] or 0.01 * row[1]
            sign = 1.0 if side == 2 else -1.0
            row[side] = _on_tick(row[1] + sign * span * _factor(rng), row[0], sizes)
            row[side] = max(row[side], row[1]) if side == 2 else min(row[side], row[1])
            row[4] = _other_close(row, sizes, rng)
        worlds[pair] = made
    return worlds


def _other_close(row: NDArray[np.float64], tick: list[tuple[int, float]], rng: np.random.Generator) -> float:
    """A price between low and high that is not the close; the close where there is no other."""
    _, first, high, low, close, _ = row
    # whoever turns a close round cannot know whether it was turned
    rises = bool(close > first) != bool(rng.random() < 0.75)
    inside = (first, high) if rises else (low, first)
    ends = [end for end in (first, high, low) if end != close]
    made = float(np.clip(_on_tick(rng.uniform(*inside), row[0], tick), low, high))
    return made if made != close or not ends else float(rng.choice(ends))


def _on_tick(price: float, at_ms: float, tick: list[tuple[int, float]]) -> float:
    return float(_rounded(np.array([[price]]), np.array([at_ms]), tick)[0, 0])


def _factor(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.2, 0.7) if rng.random() < 0.5 else rng.uniform(1.4, 3.0))


def _decimals(number: float) -> int:
    """As many as the shortest text of it has; more would be known for invented."""
    return len(f"{number:.8f}".rstrip("0").split(".")[1])


def continued(tables: Tables, end_ms: int, step_ms: int, tick: Ticks) -> Tables:
    """
    Candles after `end_ms` for an arena that has no validation range: the first weeks of each pair again, joined to its
    last close.
    """
    worlds = {}
    for pair, table in tables.items():
        known = table[table[:, 0] <= end_ms]
        again = known[: CONTINUED_DAYS * DAY_MS // step_ms].copy()
        if len(again) < 2 or known[-1, 0] < end_ms - step_ms:
            worlds[pair] = known
            continue
        again[:, 0] += known[-1, 0] + step_ms - again[0, 0]
        again[:, 1:5] *= known[-1, 4] / again[0, 1]
        again[:, 1:5] = _consistent(_rounded(again[:, 1:5], again[:, 0], tick.get(pair) or _WHOLE))
        worlds[pair] = np.concatenate([known, again])
    return worlds


def _rounded(
    values: NDArray[np.float64], times: NDArray[np.float64], tick: list[tuple[int, float]]
) -> NDArray[np.float64]:
    """To each month's tick; ticks are powers of ten, so rounding to decimals leaves no other digits behind."""
    if not tick:
        return values
    months = np.searchsorted([ms for ms, _ in tick], times, side="right") - 1
    made = values.copy()
    for month in np.unique(months):
        rows = months == month
        size = tick[max(int(month), 0)][1]
        if not 0 < size < np.inf:
            continue  # FreqTrade's integer overflow, from 19 decimals on: such prices have no tick
        made[rows] = np.maximum(np.round(values[rows], round(-np.log10(size))), size)
    return made


def _consistent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) with the high not below and the low not above open and close, which rounding and jitter can undo."""
    assert len(PRICES) == values.shape[1], "open, high, low, close"
    made = values.copy()
    made[:, 1] = values.max(axis=1)
    made[:, 2] = values.min(axis=1)
    return made


def _enclosed(table: NDArray[np.float64]) -> NDArray[np.float64]:
    made = table.copy()
    made[:, 1:5] = _consistent(table[:, 1:5])
    return made
