"""What is asked of a strategy beyond its account: causality in two depths, and the same market under other names."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from arena import booking, causality, course, gates, grid, instants, metrics, relabelling, worlds
from arena.candles import utc
from arena.causality import Case
from arena.claims import CALLBACKS
from arena.errors import StrategyError
from arena.records import Claim, Market, Orders, Window
from arena.sandbox import Task, backtest
from arena.settings import Settings

TAIL = 200
"""Candles before a border that a full check compares at least; what lies further back another border has seen."""
QUICK_SHARE = 1.45
"""Time of a quick check in that of a backtest; an evaluation is two of them, one in the market as it is and one relabelled."""
START_S = 0.15
"""About what a worker takes until the strategy is loaded."""
LOOK_S = 0.06
"""About what a look takes besides the populate functions: candles, frames, signals."""
FULL_SECONDS = 30
"""Time that a full check may take for the populate functions, on each of two cores."""
LIMIT = 3
"""A check's worker, which populates several times, may take this many times the limit of an evaluation."""


def quick(case: Case, rng: np.random.Generator) -> None:
    """
    Causality as it is checked every round, at a cost of about one evaluation.

    Raises CausalityError or DeterminismError.
    """
    ways, step = instants.valid(case.strategy, case.settings, case.tables, case.claim), case.settings.step_ms
    with ThreadPoolExecutor(max_workers=2) as beside:
        turns = np.random.default_rng(rng.integers(2**63))
        others = [beside.submit(_turned, case, ways, instants.TURNED["quick"], turns)]
        limit = LIMIT * case.settings.limits.seconds
        populate, loop = max(case.claim.populate_s, 0.01), case.claim.loop_s
        free = QUICK_SHARE * (START_S + populate + loop) - START_S
        if decides_on_the_way(case):
            free -= loop
            n = int(np.clip(_stages(free, populate), *instants.WALKS))
            causality.walk(case, instants.quick(ways, case.book, case.claim, n, step, rng), rng, seconds=limit)
        else:
            n = int(np.clip(_stages(free, populate), *instants.LOOKS))
            borders = instants.quick(ways, case.book, case.claim, n, step, rng)
            others.append(beside.submit(causality.looks, case, borders[::2], after=False, seconds=limit))
            causality.looks(case, borders[1::2], seconds=limit)
        for done in others:
            done.result()


def _stages(seconds: float, populate_s: float) -> float:
    """How many stages take so long: a frame that ends anywhere takes half of a whole one, and the last goes on beyond the range."""
    return (seconds - 1.2 * populate_s - LOOK_S) / (LOOK_S + 0.5 * populate_s)


def full(case: Case, rng: np.random.Generator) -> None:
    """
    Causality as it is checked before it counts: a comb over the whole range, more turned futures, more stages for callbacks.

    Raises CausalityError or DeterminismError.
    """
    ways = instants.valid(case.strategy, case.settings, case.tables, case.claim)
    mean = LOOK_S + 0.5 * case.claim.populate_s
    n = int(np.clip(2 * FULL_SECONDS / mean, *instants.FULL_LOOKS))
    borders = instants.comb(ways, min(n, len(ways.times) // instants.COMB + 1), rng)
    limit = LIMIT * case.settings.limits.seconds
    jobs: list[Callable[[], None]] = []
    if decides_on_the_way(case):
        stages = instants.quick(ways, case.book, case.claim, instants.FULL_WALKS, case.settings.step_ms, rng)
        jobs.append(lambda: causality.walk(case, stages, rng, seconds=limit))
    widest = max(np.diff(borders), default=0) // case.settings.step_ms
    tail = max(TAIL, int(widest) + 1)  # no candle is left out
    parts = list(causality.split(borders, 2))
    for k, part in enumerate(parts):
        last = k + 1 == len(parts)
        jobs.append(lambda part=part, last=last: causality.looks(case, [int(b) for b in part], tail=tail, after=last, seconds=limit))
    turns = np.random.default_rng(rng.integers(2**63))
    jobs.append(lambda: _turned(case, ways, instants.TURNED["full"], turns))
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()


def relabel(case: Case, rng: np.random.Generator, own: float = np.nan) -> float:
    """
    Sharpe over the search range in the relabelled market; 0 when nothing is left of the strategy there: no trade, or an
    error where there was none. Where the gate would say no to a strategy whose Sharpe is `own`, two more such markets are asked:
    one draw may go against an honest rule, not two of three.
    """
    return middle(lambda: _renamed(case, rng), own, case.settings.gates.max_relabel_loss)


def middle(ask: Callable[[], float], own: float, most: float) -> float:
    """One answer, or the middle one of three where the first loses more than the share `most` of a Sharpe that the gate looks at."""
    found = [ask()]
    if own >= gates.LOW_SHARPE and not 1 - found[0] / own <= most:
        found += [ask(), ask()]
    return float(np.median(found))


def _renamed(case: Case, rng: np.random.Generator) -> float:
    settings = case.settings
    world = relabelling.relabelled(case.tables, case.ticks, settings.search, settings.step_ms, rng)
    counted = _moved(settings.search, world.shift_ms, world.shift_ms)
    window = _moved(settings.search, world.shift_ms - world.early_ms, world.shift_ms + world.late_ms)
    longer = _limits(settings, counted, window)
    try:
        found = _sharpe(replace(case, settings=longer), world.tables, world.ticks, window, counted)
    except StrategyError:
        return 0.0
    return 0.0 if np.isnan(found) else found


def validation_sharpe(case: Case) -> float:
    """Annualised Sharpe in the validation window: a slice of the run that goes on into it. Raises StrategyError. A secret."""
    beyond, whole = case.beyond()
    tables = grid.joined(case.tables, beyond)
    ticks = worlds.ticks(tables, whole.start_ms - case.claim.startup * case.settings.step_ms)
    assert case.settings.validation is not None
    return _sharpe(case, tables, ticks, whole, case.settings.validation)


def _sharpe(case: Case, tables: grid.Tables, ticks: worlds.Ticks, window: Window, counted: Window) -> float:
    """In another market, of the account over `window` in `counted`; nan without a trade. Raises StrategyError."""
    settings, market = case.settings, grid.market(tables, case.settings, window)
    orders, claim = _replayed(case, tables, market, ticks, window), None
    if orders is None:
        claim = backtest(case.strategy, settings, Task("backtest", window, case.markets, ticks=ticks), tables)
        orders = claim.orders
    if not len(orders.price):
        return float("nan")
    book = booking.book(market, orders, wallet=settings.wallet, fee=settings.fee, slots=settings.max_open_trades)
    if claim is not None:
        booking.reconcile(book, claim)
    return metrics.measure(market, book, counted, last=True).sharpe


def _replayed(case: Case, tables: grid.Tables, market: Market, ticks: worlds.Ticks, window: Window) -> Orders | None:
    """Orders of a replay; None where it does not represent the strategy in this market."""
    if case.described is None:
        return None
    told = causality.populated(case, tables, window, ticks)
    try:
        made = course.described(case.strategy, case.settings, tables, market, case.markets, ticks, told)
        return course.orders(course.replayed(made, case.settings, told), market)
    except course.Outside:
        return None


def continuing(settings: Settings, tables: grid.Tables, sealed: grid.Tables | None) -> tuple[grid.Tables, Window]:
    """Candles after the search range, and the range that reaches to their end: validation's, or the first weeks again."""
    if sealed is not None and settings.validation is not None:
        return sealed, Window("beyond", settings.search.start, settings.validation.end)
    tick = worlds.ticks(tables, settings.search.start_ms)
    more = worlds.continued(tables, settings.search.end_ms, settings.step_ms, tick)
    end = settings.search.end_ms + (worlds.CONTINUED_DAYS + 1) * metrics.DAY_MS
    return more, Window("beyond", settings.search.start, utc(end))


def _turned(case: Case, ways: instants.Valid, n: int, rng: np.random.Generator) -> None:
    for border in instants.quick(ways, case.book, case.claim, n, case.settings.step_ms, rng):
        causality.turned(case, border, float(rng.choice(causality.POWERS)))


def decides_on_the_way(case: Case) -> bool:
    """
    Whether anything but signals and parameters decides: a callback that the class defines, or one that answered although the
    class has none, because it was put there while it ran.
    """
    return bool(callbacks(case.claim))


def callbacks(claim: Claim) -> tuple[str, ...]:
    """What decides besides signals and parameters, by name; empty when nothing does."""
    events = claim.decisions.events
    if events is None:
        return (*claim.callbacks, "callbacks that were not told")
    answered = [name for i, name in enumerate(CALLBACKS) if (events.name == i).any()]
    return tuple(dict.fromkeys((*claim.callbacks, *answered)))


def _limits(settings: Settings, counted: Window, window: Window) -> Settings:
    """With limits of time and of answers in proportion to a run that is longer than what counts."""
    times = (window.end_ms - window.start_ms) / (counted.end_ms - counted.start_ms)
    more = {name: math.ceil(times * getattr(settings.limits, name)) for name in ("seconds", "output_kb")}
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=more)})


def _moved(window: Window, start_ms: int, end_ms: int) -> Window:
    """The range with its start and its end moved by so much."""
    return Window(window.name, utc(window.start_ms + start_ms), utc(window.end_ms + end_ms))
