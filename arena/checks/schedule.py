"""Schedules the checks beyond the account: causality in two depths, and the same market under other names."""

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
"""Fewest candles before a border that a full check compares. Another border has seen what lies further back."""
LOOK_S, CANDLE_S = 0.06, 2e-6
"""
Approximate seconds of a look besides the populate functions, and of those per candle. As constants, they keep the clock
from deciding what is checked.
"""
FULL_SECONDS = 60
"""Time that a full check may take for looks of usual speed, if it has to look at each instant."""
MEMORY = ((100, 1.25), (500, 6), (2000, 24))
"""
Candles after which a strategy should have forgotten a detour, tried in this order: at least the first number, or the
second number times startup_candle_count.
"""
MOST = 0.5
"""In a world that agrees at a smaller share of its detours than this, they are too close to each other."""
WORLD_LOOKS = 3
"""A world of detours costs about as much as this many looks."""
LIMIT, LIMIT_STAGES = 3, 20
"""
A check's worker populates several times, so it may take this many times the limit of an evaluation, and one limit more
per LIMIT_STAGES stages.
"""


def quick(case: Case, rng: np.random.Generator) -> dict[str, Finding]:
    """
    Checks causality the way it is checked every round. Returns what `lookahead.walk` does. Runs one worker at a time:
    another one of the same strategy knows what this one must not, and could tell it.

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
    differing = _looked(case, borders, None, [*ends, *_some(noticed, checkpoints.DOUBTS["quick"], turns)], turns)
    # these shares depend on what was asked before, not on the candles alone, so FreqTrade's loop decides
    return _walked(case, _long(case, sorted(urgent[: checkpoints.WALKS])), rng) if differing else {}


def _walked(case: Case, stages: list[int], rng: np.random.Generator) -> dict[str, Finding]:
    """Walks through FreqTrade's loop. Returns and raises as `lookahead.walk` does."""
    return lookahead.walk(case, stages, rng, seconds=_limit(case, stages))


def _in_doubt(case: Case, urgent: list[int], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """
    Returns the instants that a world of detours does not settle, urgent ones first, and those of them at which it
    showed a difference. All stay in doubt if too few fit into one world. If too many stay in doubt, a second world has
    longer distances between its detours.
    """
    doubtful, noticed = urgent, []
    for distance in _distances(case, TAIL)[:2]:
        chosen = _apart(doubtful, distance * case.settings.step_ms)
        if len(chosen) < checkpoints.LOOKS:
            break
        settled = lookahead.detoured(case, chosen, TAIL, rng)
        noticed = [border for border in chosen if border not in settled]
        if len(settled) >= MOST * len(chosen):
            return noticed, noticed
        doubtful = [border for border in doubtful if border not in settled]
    return doubtful, noticed


def _long(case: Case, borders: list[int]) -> list[int]:
    """Returns the borders before which frames are long enough to end there; all borders if there are none."""
    short = checkpoints.short(case.tables, case.strategy, case.settings, case.claim, borders)
    return [border for border in borders if border not in short] or borders


def _looked(case: Case, borders: list[int], tail: int | None, ends: list[int], rng: np.random.Generator) -> list[int]:
    """
    Looks at the borders if frames are long enough; asks about turned futures at the others and at `ends`. Returns the
    borders at which shares of stakes differ.
    """
    short = checkpoints.short(case.tables, case.strategy, case.settings, case.claim, borders)
    long = [border for border in borders if border not in short]
    differing = lookahead.looks(case, long, tail=tail, seconds=_limit(case, long)) if long else []
    return differing + _turned(case, [*ends, *sorted(short)], rng)


def _some(borders: list[int], n: int, rng: np.random.Generator) -> list[int]:
    """
    Draws at most n of the instants in doubt. A cut alone can hide foresight: a strategy may decide as without a future
    whenever the true one is good, so it is asked with a bad one.
    """
    return [borders[k] for k in rng.permutation(len(borders))[:n]]


def _limit(case: Case, borders: list[int]) -> float:
    return (LIMIT + len(borders) / LIMIT_STAGES) * case.settings.limits.seconds


def full(
    case: Case, rng: np.random.Generator, since_ms: int | None = None, until_ms: int | None = None
) -> dict[str, Finding]:
    """
    Checks causality before the strategy counts: a comb over the whole range, more turned futures, more stages for
    callbacks. `since_ms` and `until_ms` restrict it to a part of the range, in a part of the time. Returns what
    `lookahead.walk` does.

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
    if since_ms is not None:  # too short a range for a fine comb, so half of the instants lie where the profit was made
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
    instants = sorted({*urgent[: checkpoints.ALWAYS["full"]], *even, *doubtful} - looked)
    turns = np.random.default_rng(rng.integers(2**63))
    ends = [
        *checkpoints.comb(ways, checkpoints.TURNED["full"], turns),
        *_some(doubtful, checkpoints.DOUBTS["full"], turns),
    ]
    differing = _looked(case, instants, tail if len(doubtful) > checkpoints.EVEN else None, ends, turns)
    return _walked(case, stages, rng) if differing else handed


def _unsettled(case: Case, borders: list[int], tail: int, rng: np.random.Generator) -> list[int]:
    """
    Returns the borders, ascending, at which no world of detours shows that the strategy does not know what comes next.
    Returns all of them if such worlds would save less than half of the time of asking at each. If the first world
    leaves too many, the next ones have longer distances between detours.
    """
    left = borders
    for distance in _distances(case, tail):
        parts = _parts(left, distance * case.settings.step_ms, rng)
        if 2 * len(parts) * WORLD_LOOKS > len(left):  # a look says more, so a world has to save a lot
            break
        for k, part in enumerate(part for part in parts if len(part) >= WORLD_LOOKS):
            settled = lookahead.detoured(case, part, tail, rng)
            left = [border for border in left if border not in settled]
            if k == 0 and len(settled) < MOST * len(part):
                break
    return left


def _distances(case: Case, tail: int) -> list[int]:
    """
    Returns numbers of candles to try from one detour to the next: enough to forget the first, and `tail` more, whose
    decisions are compared.
    """
    return [max(int(times * case.claim.startup), least) + scenarios.DETOURS[1] + tail for least, times in MEMORY]


def _apart(borders: list[int], distance_ms: int) -> list[int]:
    """Picks borders, the first ones first, that lie at least so far from each other."""
    chosen: list[int] = []
    for border in borders:
        if all(abs(border - other) >= distance_ms for other in chosen):
            chosen.append(border)
    return chosen


def _parts(borders: list[int], distance_ms: int, rng: np.random.Generator) -> list[list[int]]:
    """
    Splits ascending borders into lists in which they lie at least so far apart. The distances are random: with even
    ones, a strategy could look ahead by a number of candles at which no detour ever lies.
    """
    parts: list[list[int]] = []
    for border in borders:
        free = next((part for part in parts if border - part[-1] >= distance_ms * rng.uniform(1, 1.5)), None)
        parts.append([border]) if free is None else free.append(border)
    return parts


def _looks(case: Case, share: float, *, late: bool) -> int:
    """
    Returns how many instants of a full check of this share of the range fit into its time, by the number of candles: a
    frame that ends anywhere has half of them, one that ends late nearly all.
    """
    candles = sum(len(case.tables[pair]) for pair in case.strategy.pairs)
    seconds = LOOK_S + (1.0 if late else 0.5) * CANDLE_S * candles
    return int(np.clip(FULL_SECONDS * share / seconds, *checkpoints.FULL_LOOKS))


def _since(case: Case, since_ms: int) -> Case:
    """Returns the case with the trades and answers from an instant on; they show which instants are worth a look."""
    book = replace(case.book, trades=tuple(trade for trade in case.book.trades if trade.close_ms >= since_ms))
    orders, events = case.claim.orders, case.claim.decisions.events
    orders = replace(orders, **{f.name: getattr(orders, f.name)[orders.filled_ms >= since_ms] for f in fields(orders)})
    decisions = replace(case.claim.decisions, events=events and events.between(since_ms, None))
    claim = replace(case.claim, orders=orders, decisions=decisions)
    return replace(case, book=book, claim=claim)


def validation_sharpe(case: Case, rng: np.random.Generator | None = None) -> float:
    """
    Returns the annualised Sharpe in the validation window, a secret, from a slice of the run that goes on into it. The
    decisions there are checked as in the search range, at new instants if no generator is given. nan without a trade,
    if that run fails, and if the slice's profit rests on wishful fills.

    Raises CausalityError, DeterminismError or LimitError, with messages that tell nothing of what lies there.
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
    Runs the strategy on to the end of the candles after the search range. Returns None without a trade. Raises
    StrategyError.
    """
    beyond, whole = case.beyond()
    search = Window("search", whole.start, whole.end)
    times = (whole.end_ms - whole.start_ms) / (case.settings.search.end_ms - case.settings.search.start_ms)
    settings = relabelling.longer(case.settings, times).model_copy(update={"search": search, "validation": None})
    tables = candle_tables.joined(case.tables, beyond)
    all_ticks = scenarios.ticks(tables, whole.start_ms - case.claim.startup * settings.step_ms)
    # a month that the search range cuts has one tick size in both runs
    ticks = {
        pair: [
            *(own_ticks := case.ticks.get(pair, [])),
            *(tick for tick in all_ticks[pair] if not own_ticks or tick[0] > own_ticks[-1][0]),
        ]
        for pair in all_ticks
    }
    more = continuing(settings, tables, None)
    later = replace(case, settings=settings, tables=tables, ticks=ticks, beyond=lambda: more, after=lambda: more)
    market = candle_tables.market(tables, settings, search)
    # then FreqTrade's loop decides, and its answers are compared
    has_shares = case.claim.decisions.stakes is not None
    replayed = None if has_shares else relabelling.replay(later, tables, market, ticks, search)
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
    return replace(later, claim=claim, book=book, described=case.described if replayed is not None else None)


def unchanged(case: Case, later: Case) -> None:
    """
    Raises CausalityError if a decision inside the search range differs in the run that goes on, or DeterminismError.
    """
    end, decisions = case.claim.last_ms, later.claim.decisions
    finding = lookahead.decided(case, decisions, until_ms=end)
    if finding is None and later.described is None:
        # if a pair ended before the range did, candles after the range fill the gap with rows that the search did not
        # have
        ended = [int(case.tables[pair][-1, 0]) for pair in case.strategy.pairs if len(case.tables[pair])]
        until = min([end, *(ms for ms in ended if ms < end)])
        events = decisions.events and decisions.events.between(None, until)
        finding = lookahead.answered(case, case.claim.decisions.events, events, None, until)
    if finding:
        lookahead.confirm(case, finding, told=lookahead.AFTER)


def hidden(case: Case, rng: np.random.Generator, since_ms: int, until_ms: int) -> dict[str, Finding]:
    """
    Runs `full` inside a range that nobody may know, and reports any failure there in one fixed sentence. Raises
    CausalityError or LimitError.
    """
    try:
        return full(case, rng, since_ms, until_ms)
    except LimitError:
        raise LimitError(lookahead.LIMITED) from None
    except StrategyError:
        raise CausalityError(lookahead.LATER) from None


def wishful(case: Case, later: Case, handed: Iterable[str]) -> float:
    """
    Returns the share of the profit after `case`'s range that rests on wishful fills, as
    `pessimistic_fills.optimistic_fills` computes it for a whole run.
    """
    shares = []
    for run in (case, later):
        market = candle_tables.market(run.tables, run.settings, run.settings.search)
        profit = sum(trade.profit for trade in run.book.trades) + run.book.open_profit
        share = pessimistic_fills.optimistic_fills(
            market, run.claim.orders, run.book, fee=run.settings.fee, late=twin_candles.late(handed)
        )
        shares.append((profit, share * max(profit, 0.0)))
    (before, lost_before), (profit, lost) = shares
    return max(lost - lost_before, 0.0) / (profit - before) if profit > before else 0.0


def continuing(
    settings: Settings, tables: candle_tables.Tables, sealed: candle_tables.Tables | None
) -> tuple[candle_tables.Tables, Window]:
    """
    Returns the candles after the search range, and the range up to their end: validation's, or the first weeks again.
    """
    if sealed is not None and settings.validation is not None:
        return sealed, Window("beyond", settings.search.start, settings.validation.end)
    tick = scenarios.ticks(tables, settings.search.start_ms)
    more = scenarios.continued(tables, settings.search.end_ms, settings.step_ms, tick)
    end = settings.search.end_ms + (scenarios.CONTINUED_DAYS + 1) * metrics.DAY_MS
    return more, Window("beyond", settings.search.start, utc(end))


def _turned(case: Case, borders: list[int], rng: np.random.Generator) -> list[int]:
    """Asks about a turned future at each border. Returns the borders at which shares of stakes differ."""
    return [
        border for border in borders if not lookahead.turned(case, border, float(rng.choice(scenarios.POWERS)), rng)
    ]


def decides_on_the_way(case: Case) -> bool:
    """
    Whether anything but signals, parameters and shares of stakes may decide, so that FreqTrade's loop is walked. Always
    so if orders are booked: without a replay, nothing shows that they follow from signals, whatever the class defines.
    """
    return case.described is None


def callbacks(claim: Claim) -> tuple[str, ...]:
    """Returns the names of what decides besides signals and parameters; empty when nothing does."""
    events = claim.decisions.events
    if events is None:
        return (*claim.callbacks, "callbacks that were not told")
    answered = [name for i, name in enumerate(CALLBACKS) if (events.name == i).any()]
    return tuple(dict.fromkeys((*claim.callbacks, *answered)))
