"""What is asked of a strategy beyond its account: causality in two depths, and the same market under other names."""

from collections.abc import Iterable
from dataclasses import fields, replace

import numpy as np

from arena.accounting import booking, pessimistic_fills
from arena.checks import checkpoints, lookahead, relabelling, twin_candles
from arena.checks.comparison import Finding
from arena.checks.lookahead import Case
from arena.decisions import CALLBACKS
from arena.errors import CausalityError, LimitError, StrategyError
from arena.market import candle_tables, scenarios
from arena.market.candles import utc
from arena.records import Claim, Window
from arena.sandbox.client import Task, backtest
from arena.settings import Settings
from arena.stats import metrics

TAIL = 200
"""Candles before a border that a full check compares at least; what lies further back another border has seen."""
LOOK_S, CANDLE_S = 0.06, 2e-6
"""
About what a look takes besides the populate functions, and what they take a candle: no clock has a say in what is
checked.
"""
FULL_SECONDS = 60
"""Time that a full check may take for looks of usual speed, if it came to look at each instant."""
MEMORY = ((100, 1.25), (500, 6), (2000, 24))
"""
Candles after which a detour should be forgotten, tried one after the other: at least so many, or so many times
startup_candle_count.
"""
MOST = 0.5
"""A world that agrees at fewer of its detours than this share has them too close to each other."""
WORLD_LOOKS = 3
"""A world of detours costs about as much as so many looks."""
LIMIT, LIMIT_STAGES = 3, 20
"""
A check's worker, which populates several times, may take this many times the limit of an evaluation, and once more for
so many stages.
"""


def quick(case: Case, rng: np.random.Generator) -> dict[str, Finding]:
    """
    Causality as it is checked every round. Returns what `causality.walk` does. One worker at a time: another one of the
    same strategy, which knows what this one must not, would only have to be heard.

    Raises CausalityError or DeterminismError.
    """
    ways, step = checkpoints.valid(case.strategy, case.settings, case.tables, case.claim), case.settings.step_ms
    turns = np.random.default_rng(rng.integers(2**63))
    ends = checkpoints.comb(ways, checkpoints.TURNED["quick"], turns)
    if decides_on_the_way(case):
        handed = _walked(
            case, _long(case, checkpoints.quick(ways, case.book, case.claim, checkpoints.WALKS, step, rng)), rng
        )
        _turned(case, ends, turns)
        return handed
    urgent = checkpoints.urgent(ways, case.book, case.claim, checkpoints.DETOURS, step, rng)
    doubtful, noticed = _in_doubt(case, urgent[checkpoints.ALWAYS["quick"] :], rng)
    always = [*urgent[: checkpoints.ALWAYS["quick"]], *checkpoints.comb(ways, 1, rng)]
    borders = sorted(dict.fromkeys([*always, *doubtful][: checkpoints.LOOKS]))
    sized = _looked(case, borders, None, [*ends, *_some(noticed, checkpoints.DOUBTS["quick"], turns)], turns)
    # shares that follow from what was asked before, and not from the candles: FreqTrade's loop decides
    return _walked(case, _long(case, sorted(urgent[: checkpoints.WALKS])), rng) if sized else {}


def _walked(case: Case, stages: list[int], rng: np.random.Generator) -> dict[str, Finding]:
    """A walk through FreqTrade's loop. Returns and raises as `causality.walk`."""
    return lookahead.walk(case, stages, rng, seconds=_limit(case, stages))


def _in_doubt(case: Case, urgent: list[int], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """
    Instants that a world of detours does not settle, the urgent ones first, all of them where too few fit into one; and
    those of them at which it was noticed. Where too many are in doubt, a second one has longer distances between its
    detours.
    """
    doubtful, noticed = urgent, []
    for distance in _distances(case, TAIL)[:2]:
        chosen = _apart(doubtful, distance * case.settings.step_ms)
        if len(chosen) < checkpoints.LOOKS:
            break
        known = lookahead.detoured(case, chosen, TAIL, rng)
        noticed = [border for border in chosen if border not in known]
        if len(known) >= MOST * len(chosen):
            return noticed, noticed
        doubtful = [border for border in doubtful if border not in known]
    return doubtful, noticed


def _long(case: Case, borders: list[int]) -> list[int]:
    """Those of the borders before which frames are long enough to end there; all where there are none."""
    short = checkpoints.short(case.tables, case.strategy, case.settings, case.claim, borders)
    return [border for border in borders if border not in short] or borders


def _looked(case: Case, borders: list[int], tail: int | None, ends: list[int], rng: np.random.Generator) -> list[int]:
    """
    Looks at the borders, where frames are long enough; turned futures at the others and at `ends`. Returns those at
    which shares of stakes are other ones.
    """
    short = checkpoints.short(case.tables, case.strategy, case.settings, case.claim, borders)
    long = [border for border in borders if border not in short]
    sized = lookahead.looks(case, long, tail=tail, seconds=_limit(case, long)) if long else []
    return sized + _turned(case, [*ends, *sorted(short)], rng)


def _some(borders: list[int], n: int, rng: np.random.Generator) -> list[int]:
    """
    At most n of the instants that are in doubt. A cut can take a doubt away that was none: who decides as without a
    future where the true one is good is asked with a bad one.
    """
    return [borders[k] for k in rng.permutation(len(borders))[:n]]


def _limit(case: Case, borders: list[int]) -> float:
    return (LIMIT + len(borders) / LIMIT_STAGES) * case.settings.limits.seconds


def full(
    case: Case, rng: np.random.Generator, since_ms: int | None = None, until_ms: int | None = None
) -> dict[str, Finding]:
    """
    Causality as it is checked before it counts: a comb over the whole range, more turned futures, more stages for
    callbacks. With `since_ms` and `until_ms` over a part of it, in a part of the time. Returns what `causality.walk`
    does.

    Raises CausalityError or DeterminismError.
    """
    whole, step = checkpoints.valid(case.strategy, case.settings, case.tables, case.claim), case.settings.step_ms
    ways = whole.between(since_ms, until_ms)
    if not len(ways.times):
        return {}
    recent = case if since_ms is None else _since(case, since_ms)
    teeth = min(
        _looks(case, len(ways.times) / len(whole.times), late=since_ms is not None),
        len(ways.times) // checkpoints.COMB + 1,
    )
    borders = checkpoints.comb(ways, teeth if since_ms is None else teeth // 2, rng)
    if since_ms is not None:  # too short a range for a fine comb: half of the instants lie where the profit was made
        borders = sorted({*borders, *checkpoints.quick(ways, recent.book, recent.claim, teeth // 2, step, rng)})
    urgent = checkpoints.urgent(ways, recent.book, recent.claim, checkpoints.URGENT, step, rng)[: checkpoints.URGENT]
    stages = _long(case, sorted(urgent))
    handed: dict[str, Finding] = {}
    looked: set[int] = set()
    if not lookahead.repeats_shares(case, sorted({trade.open_ms for trade in recent.book.trades})):
        case = replace(
            case, claim=replace(case.claim, decisions=replace(case.claim.decisions, stakes=None)), described=None
        )
    if decides_on_the_way(case):
        handed = _walked(case, stages, rng)
        looked = set(stages)  # each of its stages populates, as a look does
    widest = max(np.diff([int(ways.times[0]), *borders]), default=0) // step
    tail = max(TAIL, int(widest) + 1)  # no candle is left out
    doubtful = _unsettled(case, sorted({*borders, *urgent}), tail, rng)
    even = checkpoints.comb(ways, max(checkpoints.EVEN - len(looked.union(doubtful)), checkpoints.EVEN // 3), rng)
    asked = sorted({*urgent[: checkpoints.ALWAYS["full"]], *even, *doubtful} - looked)
    turns = np.random.default_rng(rng.integers(2**63))
    ends = [
        *checkpoints.comb(ways, checkpoints.TURNED["full"], turns),
        *_some(doubtful, checkpoints.DOUBTS["full"], turns),
    ]
    sized = _looked(case, asked, tail if len(doubtful) > checkpoints.EVEN else None, ends, turns)
    return _walked(case, stages, rng) if sized else handed


def _unsettled(case: Case, borders: list[int], tail: int, rng: np.random.Generator) -> list[int]:
    """
    Those of the borders, ascending, at which no world of detours shows that what comes next is unknown: all of them
    where such worlds would save less than half of the time that it takes to ask at each. Where the first one leaves too
    many, the next ones have longer distances between detours.
    """
    left = borders
    for distance in _distances(case, tail):
        parts = _parts(left, distance * case.settings.step_ms, rng)
        if 2 * len(parts) * WORLD_LOOKS > len(left):  # a look says more, so a world has to save a lot
            break
        for k, part in enumerate(part for part in parts if len(part) >= WORLD_LOOKS):
            known = lookahead.detoured(case, part, tail, rng)
            left = [border for border in left if border not in known]
            if k == 0 and len(known) < MOST * len(part):
                break
    return left


def _distances(case: Case, tail: int) -> list[int]:
    """
    Candles from one detour to the next: a strategy forgets the one, and its last `tail` decisions before the next are
    compared.
    """
    return [max(int(times * case.claim.startup), least) + scenarios.DETOURS[1] + tail for least, times in MEMORY]


def _apart(borders: list[int], distance_ms: int) -> list[int]:
    """Those of the borders, the first ones first, that lie at least so far from each other."""
    chosen: list[int] = []
    for border in borders:
        if all(abs(border - other) >= distance_ms for other in chosen):
            chosen.append(border)
    return chosen


def _parts(borders: list[int], distance_ms: int, rng: np.random.Generator) -> list[list[int]]:
    """
    Lists in each of which borders lie at least so far apart, by distances that are drawn: with even ones there would be
    a number of candles ahead of a decision at which no detour ever lies. `borders` are ascending.
    """
    parts: list[list[int]] = []
    for border in borders:
        free = next((part for part in parts if border - part[-1] >= distance_ms * rng.uniform(1, 1.5)), None)
        parts.append([border]) if free is None else free.append(border)
    return parts


def _looks(case: Case, share: float, *, late: bool) -> int:
    """
    How many instants of a full check of such a share of the range fit into its time, by the number of candles: a frame
    that ends anywhere has half of them, one that ends late nearly all.
    """
    candles = sum(len(case.tables[pair]) for pair in case.strategy.pairs)
    seconds = LOOK_S + (1.0 if late else 0.5) * CANDLE_S * candles
    return int(np.clip(FULL_SECONDS * share / seconds, *checkpoints.FULL_LOOKS))


def _since(case: Case, since_ms: int) -> Case:
    """The case with the trades and answers from an instant on: there are the instants that are worth a look."""
    book = replace(case.book, trades=tuple(trade for trade in case.book.trades if trade.close_ms >= since_ms))
    orders, events = case.claim.orders, case.claim.decisions.events
    orders = replace(orders, **{f.name: getattr(orders, f.name)[orders.filled_ms >= since_ms] for f in fields(orders)})
    decisions = replace(case.claim.decisions, events=events and events.between(since_ms, None))
    claim = replace(case.claim, orders=orders, decisions=decisions)
    return replace(case, book=book, claim=claim)


def validation_sharpe(case: Case, rng: np.random.Generator | None = None) -> float:
    """
    Annualised Sharpe in the validation window: a slice of the run that goes on into it, whose decisions are checked
    there as they are in the search range, at instants that are drawn anew where no generator is given. A secret. nan
    without a trade, where that run fails, and where the slice's profit rests on wishful fills.

    Raises CausalityError, DeterminismError or LimitError, in sentences that tell nothing of what lies there.
    """
    settings = case.settings
    assert settings.validation is not None
    try:
        later = further(case)
    except StrategyError:
        return float("nan")
    if later is None:
        return float("nan")
    unchanged(case, later)
    handed = hidden(later, rng or np.random.default_rng(), settings.search.end_ms, settings.validation.end_ms)
    if not wishful(case, later, handed) <= settings.gates.max_optimistic_fills:
        return float("nan")
    market = candle_tables.market(later.tables, later.settings, later.settings.search)
    return metrics.measure(market, later.book, settings.validation, last=True).sharpe


def further(case: Case) -> Case | None:
    """
    The strategy in the run that goes on to the end of the candles after the search range; None without a trade. Raises
    StrategyError.
    """
    beyond, whole = case.beyond()
    search = Window("search", whole.start, whole.end)
    times = (whole.end_ms - whole.start_ms) / (case.settings.search.end_ms - case.settings.search.start_ms)
    settings = relabelling.longer(case.settings, times).model_copy(update={"search": search, "validation": None})
    tables = candle_tables.joined(case.tables, beyond)
    known = scenarios.ticks(tables, whole.start_ms - case.claim.startup * settings.step_ms)
    # a month that the search range cuts has one tick size in both runs
    ticks = {
        pair: [*(mine := case.ticks.get(pair, [])), *(m for m in known[pair] if not mine or m[0] > mine[-1][0])]
        for pair in known
    }
    more = continuing(settings, tables, None)
    made = replace(case, settings=settings, tables=tables, ticks=ticks, beyond=lambda: more, after=lambda: more)
    market = candle_tables.market(tables, settings, search)
    # there FreqTrade's loop has the last word, and its answers are compared
    sized = case.claim.decisions.stakes is not None
    replayed = None if sized else relabelling.replay(made, tables, market, ticks, search)
    if replayed is not None:
        orders, decisions = replayed
        claim = replace(case.claim, orders=orders, decisions=decisions, last_ms=int(market.open_ms[-1]), stretch=None)
        claim = replace(claim, populate_s=times * claim.populate_s, loop_s=times * claim.loop_s)
    else:
        claim = backtest(case.strategy, settings, Task("backtest", search, case.markets, ticks=ticks), tables)
    if not len(claim.orders.price):
        return None
    book = booking.book(market, claim.orders, wallet=settings.wallet, fee=settings.fee, slots=settings.max_open_trades)
    if replayed is None:
        booking.reconcile(book, claim)
    return replace(made, claim=claim, book=book, described=case.described if replayed is not None else None)


def unchanged(case: Case, later: Case) -> None:
    """
    Raises CausalityError where a decision inside the search range is another one in the run that goes on, or
    DeterminismError.
    """
    end, told = case.claim.last_ms, later.claim.decisions
    found = lookahead.decided(case, told, until_ms=end)
    if found is None and later.described is None:
        # where a pair ended before the range did, candles after the range fill the gap with rows that the search did
        # not have
        ended = [int(case.tables[pair][-1, 0]) for pair in case.strategy.pairs if len(case.tables[pair])]
        until = min([end, *(ms for ms in ended if ms < end)])
        events = told.events and told.events.between(None, until)
        found = lookahead.answered(case, case.claim.decisions.events, events, None, until)
    if found:
        lookahead.confirm(case, found, told=lookahead.AFTER)


def hidden(case: Case, rng: np.random.Generator, since_ms: int, until_ms: int) -> dict[str, Finding]:
    """
    As `full` inside a range that nobody may know: of what goes wrong there one sentence is told. Raises CausalityError
    or LimitError.
    """
    try:
        return full(case, rng, since_ms, until_ms)
    except LimitError:
        raise LimitError(lookahead.LIMITED) from None
    except StrategyError:
        raise CausalityError(lookahead.LATER) from None


def wishful(case: Case, later: Case, handed: Iterable[str]) -> float:
    """
    The share of the profit after `case`'s range that rests on wishful fills, as `fills.optimistic_fills` has it for a
    whole run.
    """
    shares = []
    for made in (case, later):
        market = candle_tables.market(made.tables, made.settings, made.settings.search)
        profit = sum(trade.profit for trade in made.book.trades) + made.book.open_profit
        share = pessimistic_fills.optimistic_fills(
            market, made.claim.orders, made.book, fee=made.settings.fee, late=twin_candles.late(handed)
        )
        shares.append((profit, share * max(profit, 0.0)))
    (before, lost_before), (profit, lost) = shares
    return max(lost - lost_before, 0.0) / (profit - before) if profit > before else 0.0


def continuing(
    settings: Settings, tables: candle_tables.Tables, sealed: candle_tables.Tables | None
) -> tuple[candle_tables.Tables, Window]:
    """
    Candles after the search range, and the range that reaches to their end: validation's, or the first weeks again.
    """
    if sealed is not None and settings.validation is not None:
        return sealed, Window("beyond", settings.search.start, settings.validation.end)
    tick = scenarios.ticks(tables, settings.search.start_ms)
    more = scenarios.continued(tables, settings.search.end_ms, settings.step_ms, tick)
    end = settings.search.end_ms + (scenarios.CONTINUED_DAYS + 1) * metrics.DAY_MS
    return more, Window("beyond", settings.search.start, utc(end))


def _turned(case: Case, borders: list[int], rng: np.random.Generator) -> list[int]:
    """Asks about a turned future at each border. Returns those at which shares of stakes are other ones."""
    return [
        border for border in borders if not lookahead.turned(case, border, float(rng.choice(scenarios.POWERS)), rng)
    ]


def decides_on_the_way(case: Case) -> bool:
    """
    Whether anything but signals, parameters and shares of stakes may decide, so that FreqTrade's loop is walked: always
    where orders are booked. What no replay stands for is not known to follow from signals, whatever the class defines.
    """
    return case.described is None


def callbacks(claim: Claim) -> tuple[str, ...]:
    """What decides besides signals and parameters, by name; empty when nothing does."""
    events = claim.decisions.events
    if events is None:
        return (*claim.callbacks, "callbacks that were not told")
    answered = [name for i, name in enumerate(CALLBACKS) if (events.name == i).any()]
    return tuple(dict.fromkeys((*claim.callbacks, *answered)))
