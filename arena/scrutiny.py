"""What is asked of a strategy beyond its account: causality in two depths, and the same market under other names."""

import numpy as np

from arena import booking, causality, course, grid, instants, metrics, worlds
from arena.candles import utc
from arena.causality import Case
from arena.claims import CALLBACKS
from arena.errors import StrategyError
from arena.records import Claim, Market, Orders, Window
from arena.sandbox import Task, backtest
from arena.settings import Settings

TAIL = 200
"""Candles before a border that a full check compares at least; what lies further back another border has seen."""
LOOK_S, CANDLE_S = 0.06, 2e-6
"""About what a look takes besides the populate functions, and what they take a candle: no clock has a say in what is checked."""
FULL_SECONDS = 60
"""Time that a full check may take for populate functions of usual speed."""
EARLY_DAYS = 20
"""A relabelled run begins up to this many days early."""
LIMIT, LIMIT_STAGES = 3, 20
"""A check's worker, which populates several times, may take this many times the limit of an evaluation, and once more for so many stages."""


def quick(case: Case, rng: np.random.Generator) -> None:
    """
    Causality as it is checked every round, at a cost of about one evaluation. One worker at a time: another one of the same strategy, which
    knows what this one must not, would only have to be heard.

    Raises CausalityError or DeterminismError.
    """
    ways, step = instants.valid(case.strategy, case.settings, case.tables, case.claim), case.settings.step_ms
    turns = np.random.default_rng(rng.integers(2**63))
    if decides_on_the_way(case):
        borders = instants.quick(ways, case.book, case.claim, instants.WALKS, step, rng)
        causality.walk(case, borders, rng, seconds=_limit(case, borders))
    else:
        borders = instants.quick(ways, case.book, case.claim, instants.LOOKS, step, rng)
        causality.looks(case, borders, seconds=_limit(case, borders))
    _turned(case, ways, instants.TURNED["quick"], turns)


def _limit(case: Case, borders: list[int]) -> float:
    return (LIMIT + len(borders) / LIMIT_STAGES) * case.settings.limits.seconds


def full(case: Case, rng: np.random.Generator) -> None:
    """
    Causality as it is checked before it counts: a comb over the whole range, more turned futures, more stages for callbacks.

    Raises CausalityError or DeterminismError.
    """
    ways, step = instants.valid(case.strategy, case.settings, case.tables, case.claim), case.settings.step_ms
    borders = instants.comb(ways, min(_looks(case), len(ways.times) // instants.COMB + 1), rng)
    if decides_on_the_way(case):
        stages = instants.quick(ways, case.book, case.claim, instants.FULL_WALKS, step, rng)
        causality.walk(case, stages, rng, seconds=_limit(case, stages))
    widest = max(np.diff(borders), default=0) // step
    tail = max(TAIL, int(widest) + 1)  # no candle is left out
    causality.looks(case, borders, tail=tail, seconds=_limit(case, borders))
    _turned(case, ways, instants.TURNED["full"], np.random.default_rng(rng.integers(2**63)))


def _looks(case: Case) -> int:
    """How many instants of a full check fit into its time, by the number of candles: a frame that ends anywhere has half of them."""
    candles = sum(len(case.tables[pair]) for pair in case.strategy.pairs)
    return int(np.clip(FULL_SECONDS / (LOOK_S + 0.5 * CANDLE_S * candles), *instants.FULL_LOOKS))


def relabel(case: Case, rng: np.random.Generator) -> float:
    """
    Sharpe over the search range in the relabelled market; 0 when nothing is left of the strategy there: no trade, or an
    error where there was none.
    """
    settings = case.settings
    world = worlds.relabelled(case.tables, case.ticks, rng)
    counted = _moved(settings.search, world.shift_ms, 0)
    window = _moved(settings.search, world.shift_ms, _other_start(case, rng))
    try:
        found = _sharpe(case, world.tables, world.ticks, window, counted)
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
    Whether anything but signals and parameters may decide, so that FreqTrade's loop is walked: always where orders are booked. What no
    replay stands for is not known to follow from signals, whatever the class defines.
    """
    return case.described is None


def callbacks(claim: Claim) -> tuple[str, ...]:
    """What decides besides signals and parameters, by name; empty when nothing does."""
    events = claim.decisions.events
    if events is None:
        return (*claim.callbacks, "callbacks that were not told")
    answered = [name for i, name in enumerate(CALLBACKS) if (events.name == i).any()]
    return tuple(dict.fromkeys((*claim.callbacks, *answered)))


def _other_start(case: Case, rng: np.random.Generator) -> int:
    """
    Days by which a relabelled run begins elsewhere, so that its rows have other numbers: early where the warm-up has room, and
    what counts is the same; one day late where it has none.
    """
    settings = case.settings
    begun = min(int(case.tables[pair][0, 0]) for pair in case.strategy.pairs)
    room = (settings.search.start_ms - case.claim.startup * settings.step_ms - begun) // metrics.DAY_MS
    return -int(rng.integers(1, min(EARLY_DAYS, room) + 1)) if room > 0 else 1


def _moved(window: Window, ms: int, days: int) -> Window:
    """The range under its new dates, begun some days later."""
    return Window(window.name, utc(window.start_ms + ms + days * metrics.DAY_MS), utc(window.end_ms + ms))
