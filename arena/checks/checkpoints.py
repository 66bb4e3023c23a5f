"""Chooses the secret instants at which causality is checked, including those where the profit was made. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from arena.decisions import CALLBACKS, Events
from arena.errors import StrategyError
from arena.market.candle_tables import Tables
from arena.records import ORDER_KINDS, Book, Claim, Strategy
from arena.settings import Settings
from arena.stats.metrics import DAY_MS

BEST = 3
"""One of this many most profitable trades of a stretch is drawn."""
CHECKABLE = 0.1
"""Smallest share of the range's candles that must remain to be checked."""
LATE = (0.25, 0.1)
"""Shares of the trades, counted back from the last one. Each gives one entry."""
LOOKS = 12
"""Most instants that a quick check of the populate functions asks about one by one."""
ALWAYS, EVEN = {"quick": 3, "full": 6}, 24
"""
ALWAYS: how many of the most urgent instants are asked about one by one, whatever worlds of detours show. EVEN: how many
evenly spaced ones a full check adds; fewer if it asks about others anyway, but at least a third.
"""
URGENT = 24
"""
How many of the most urgent instants a full check puts into its worlds of detours. They are the stages of its walk.
"""
DOUBTS = {"quick": 2, "full": 6}
"""How many of the instants that detours leave in doubt are asked about with a turned future too."""
DETOURS = 64
"""About how many instants are drawn for the world of detours of a quick check."""
WALKS = 10
"""Stages of the walk in a quick check of callbacks."""
FULL_LOOKS = (60, 4000)
TURNED = {"quick": 1, "full": 2}
ROUND = 12
"""Unusual answers are drawn once more for every this many instants."""
FEW_ANSWERS = 20
"""A callback with more different answers than this answers with numbers."""
ASKED_INSIDE = ("custom_stoploss", "custom_roi", "order_filled", "adjust_trade_position")
"""Callbacks whose answer in a candle is compared at the instant after it."""
FAR = 1e300
"""Replaces an infinite answer; nan becomes the smallest answer of all."""
ROWS = 300
"""
Frames with fewer candles than this are checked with a turned future instead of a cut, because no live exchange gives a
strategy so few.
"""
COMB = 24
"""Candles between two instants of a full check, where time allows."""


@dataclass(frozen=True, slots=True)
class Valid:
    """Open times at which a stage may end: every listed pair has a true candle there and right before."""

    times: np.ndarray  # (n,) int64 milliseconds, ascending

    def between(self, since_ms: int | None, until_ms: int | None) -> "Valid":
        """Returns the instants from `since_ms` on and before `until_ms`; None is no border."""
        low, high = (-np.inf if since_ms is None else since_ms), (np.inf if until_ms is None else until_ms)
        return Valid(self.times[(self.times >= low) & (self.times < high)])

    def near(self, ms: int) -> int | None:
        """Returns the first valid instant at `ms` or up to a day later."""
        k = int(np.searchsorted(self.times, ms))
        return int(self.times[k]) if k < len(self.times) and self.times[k] - ms <= DAY_MS else None


def valid(strategy: Strategy, settings: Settings, tables: Tables, claim: Claim) -> Valid:
    """
    Returns the instants inside the search range, after the first candles of the loop. If some pairs are listed late,
    instants begin when all are listed, because a strategy may look at any pair; but not if that leaves less than half
    of the range.

    Raises StrategyError when that is less than CHECKABLE of the range: the arena does not believe what it cannot check.
    """
    step = settings.step_ms
    grids = {pair: table[:, 0].astype(np.int64) for pair, table in tables.items()}
    first_ms = min(int(grids[pair][0]) for pair in strategy.pairs if len(grids[pair]))
    start = max(settings.search.start_ms, first_ms + (claim.startup + 2) * step) + 4 * step
    end = min(settings.search.end_ms, max(int(grids[pair][-1]) for pair in strategy.pairs if len(grids[pair]))) - step
    listed = max(int(times[0]) for times in grids.values() if len(times)) + (claim.startup + 2) * step
    if listed < start + (end - start) / 2:
        start = max(start, listed)
    times = np.arange(start, end + 1, step, dtype=np.int64)
    for pair, grid in grids.items():
        if pair in strategy.pairs and len(grid):
            present = np.isin(times, grid) & np.isin(times - step, grid)
            times = times[present | (times < grid[0]) | (times > grid[-1] + step)]
    if len(times) < CHECKABLE * (settings.search.end_ms - settings.search.start_ms) / step:
        raise StrategyError(
            f"startup_candle_count {claim.startup} leaves too little of the range in which its decisions could be "
            f"checked. Lower it"
        )
    return Valid(times)


def short(tables: Tables, strategy: Strategy, settings: Settings, claim: Claim, borders: list[int]) -> set[int]:
    """Returns the borders before which some pair has candles, but fewer than ROWS, including the warm-up."""
    since = settings.search.start_ms - claim.startup * settings.step_ms
    short_borders: set[int] = set()
    for pair in strategy.pairs:
        times = tables[pair][:, 0]
        rows = np.searchsorted(times, borders) - np.searchsorted(times, since)
        short_borders.update(border for border, n in zip(borders, rows, strict=True) if 0 < n < ROWS)
    return short_borders


def quick(ways: Valid, book: Book, claim: Claim, n: int, step_ms: int, rng: np.random.Generator) -> list[int]:
    """
    Returns at most n instants, ascending. First come one close to the end and a late entry, to find foresight that
    begins late. Then come, in turn and in secret order, unusual answers of each callback and edges of trades (one of
    the best trades of every stretch of the range, and an exit of each kind). The rest lie anywhere.

    The instant of an exit is its candle, or the next candle if the exit was decided inside its candle; both for roi.
    """
    return sorted(urgent(ways, book, claim, n, step_ms, rng)[:n])


def urgent(ways: Valid, book: Book, claim: Claim, n: int, step_ms: int, rng: np.random.Generator) -> list[int]:
    """Returns n or more valid instants, if the range has as many; those that `quick` prefers come first."""
    if not len(ways.times):
        return []
    instants = (*reasons(ways, book, claim, n, step_ms, rng), *rng.choice(ways.times, size=2 * n))
    return list(dict.fromkeys(at for ms in instants if (at := ways.near(int(ms))) is not None))


def reasons(ways: Valid, book: Book, claim: Claim, n: int, step_ms: int, rng: np.random.Generator) -> list[int]:
    """
    Returns the instants that have a reason, most urgent first. Not all of them are valid. About n are edges of trades.
    """
    last = int(rng.choice(ways.times[-max(len(ways.times) // 100, 1) :]))
    rounds = [[*_unusual(claim.decisions.events, step_ms, rng)] for _ in range(1 + n // ROUND)]
    edges = [*_edges(book, n, step_ms, rng), *_exits(claim, step_ms, rng)]
    for instants in (*rounds, edges):
        rng.shuffle(instants)
    answers = [ms for instants in rounds for ms in instants]
    late = list(_late(book, rng))
    return [last, *late[:1], *(ms for both in zip_longest(answers, edges) for ms in both if ms is not None), *late[1:]]


def _late(book: Book, rng: np.random.Generator) -> Iterator[int]:
    opened = sorted(trade.open_ms for trade in book.trades)
    for share in rng.permutation(LATE):
        if late := opened[int((1 - share) * len(opened)) :]:
            yield int(rng.choice(late))


def _edges(book: Book, n: int, step_ms: int, rng: np.random.Generator) -> Iterator[int]:
    trades = sorted(book.trades, key=lambda trade: trade.open_ms)
    for k, stretch in enumerate(np.array_split(np.arange(len(trades)), max(n, 1))):
        if len(stretch):
            trade = trades[rng.choice(sorted(stretch, key=lambda i: -trades[i].profit)[:BEST])]
            yield trade.open_ms if (k + int(rng.integers(2))) % 2 else trade.close_ms + int(rng.integers(2)) * step_ms


def _exits(claim: Claim, step_ms: int, rng: np.random.Generator) -> Iterator[int]:
    orders = claim.orders
    for kind in np.unique(orders.kind[~orders.buys]):
        of_kind = orders.filled_ms[~orders.buys & (orders.kind == kind)]
        inside = ORDER_KINDS[kind] in ("stop", "trailing", "roi", "adjust", "other")
        yield int(rng.choice(of_kind)) + inside * step_ms
        if ORDER_KINDS[kind] == "roi":  # custom_roi is asked with the candle's high, and must not use it
            yield int(rng.choice(of_kind))


def _unusual(events: Events | None, step_ms: int, rng: np.random.Generator) -> Iterator[int]:
    """
    Yields for each callback its two rarest answers, or an extreme one if it answers with numbers: a veto leaves no
    trade. For a callback that is asked inside a candle, also yields an answer that differs from the one before: an
    answer that uses its own candle changes there.
    """
    if events is None:
        return
    # nan does not equal itself, so a number replaces it
    answers = np.clip(np.nan_to_num(events.value, nan=-FAR), -FAR, FAR)
    for name in np.unique(events.name[events.name < len(CALLBACKS)]):
        of_name = np.flatnonzero(events.name == name)
        kinds, counts = np.unique(events.kind[of_name], return_counts=True)
        of_kind = of_name[events.kind[of_name] == kinds[np.argmin(counts)]]
        values, counts = np.unique(answers[of_kind], return_counts=True)
        groups = [of_kind[answers[of_kind] == value] for value in values[np.argsort(counts)][:2]]
        if len(values) > FEW_ANSWERS:
            low, high = np.quantile(answers[of_kind], (0.05, 0.95))
            groups = [of_kind[(answers[of_kind] <= low) | (answers[of_kind] >= high)]]
        inside = CALLBACKS[name] in ASKED_INSIDE
        for group in groups:
            yield int(events.time_ms[rng.choice(group)]) + inside * step_ms
        if inside and len(changed := _changes(events, answers, of_name)):
            yield int(events.time_ms[rng.choice(changed)])


def _changes(events: Events, answers: NDArray[np.float64], of_name: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns those of one callback's events whose answer differs from the previous one for the same pair."""
    by_pair = of_name[np.argsort(events.pair[of_name], kind="stable")]
    before, current = by_pair[:-1], by_pair[1:]
    differs = (answers[before] != answers[current]) | (events.kind[before] != events.kind[current])
    return current[differs & (events.pair[before] == events.pair[current])]


def comb(ways: Valid, n: int, rng: np.random.Generator) -> list[int]:
    """Returns about n evenly spaced instants over the whole range, from a secret offset on, each moved a little."""
    if not len(ways.times):
        return []
    space = max(len(ways.times) / max(n, 1), 1.0)
    places = np.arange(rng.uniform(0, space), len(ways.times), space)
    places += rng.uniform(-space / 3, space / 3, size=len(places))
    places = np.unique(np.clip(places.astype(np.int64), 0, len(ways.times) - 1))
    return [int(ms) for ms in ways.times[places]]
