"""
Checks whether a strategy decides the same when it does not know the future. Asks only fresh workers, which never held
the future.

The trusted process feeds a worker its candles stage by stage. It compares all that the worker reports (signals,
parameters, answers of callbacks, orders) with what the strategy decided with the whole range. Stages end at secret
instants. At each of them a copy of the walk's process gets a candle with the same open that went another way. The last
stage goes on into candles after the search range. They repeat the first weeks, so no worker holds a sealed candle for a
check. A look with a turned future of full length shows that the length does not matter. A world of detours asks at many
instants at once.

A difference between two runs with the very same candles is randomness, not foresight, so a second plain run confirms
each finding.

Not found: foresight that changed no decision at any of the instants, on either side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from arena.accounting.replay.inputs import ReplaySpec
from arena.checks import twin_candles
from arena.checks.comparison import Finding, decided, shares
from arena.checks.twin_candles import difference, parting
from arena.decisions import LEAD_MS, Decisions, Events
from arena.errors import CausalityError, DeterminismError, LimitError, StrategyError, when
from arena.market import scenarios
from arena.market.candle_tables import Tables
from arena.market.scenarios import Ticks
from arena.records import Book, Claim, Strategy, Window
from arena.sandbox.client import Task, Worker, backtest, look
from arena.settings import Settings

AFTER = "causality: what is decided inside the search range depends on candles after its end"
"""
The only message about the last stage, failures included: where and how would let a strategy read the validation range.
"""
LATER = "causality: what is decided after the search range depends on candles that come later"
"""The only message about a check inside a range that nobody may know."""
CONFIRMED = 3
"""At most this many looks with different shares of stakes are repeated by fresh workers."""
SHARES = 300
"""At most this many shares of stakes before an instant are asked for."""
LIMITED = "a check of causality ended at a limit (arena.limits), or its worker ended early"
"""The only message about limits in the last stage."""


@dataclass(frozen=True)
class Case:
    """A strategy, what it decided with the whole search range, and what is needed to ask again."""

    strategy: Strategy
    settings: Settings
    tables: Tables  # of the search range and its warm-up, as the first run had them
    # returns the candles after the range, sealed ones if there are any, and the range up to their end
    beyond: Callable[[], tuple[Tables, Window]]
    # returns candles after the range that are no secret, for checks, and the range up to their end
    after: Callable[[], tuple[Tables, Window]]
    markets: dict
    claim: Claim
    book: Book
    ticks: Ticks
    described: ReplaySpec | None = None  # if signals and parameters describe everything

    def task(self, kind: str) -> Task:
        """Returns a worker's task. A probe's data end where its candles end; no run is told where that is."""
        _, whole = self.after()
        return Task(kind, whole, self.markets, ticks=self.ticks, end_ms=self.claim.last_ms)


def looks(
    case: Case, borders: list[int], *, tail: int | None = None, after: bool = True, seconds: float | None = None
) -> list[int]:
    """
    Populates frames that end at each border, ascending, and compares all parameters and all signals before the border
    (only the last `tail` candles, if given). With `after`, the last frames go on beyond the search range. To ask for a
    share at the border, the frames have a different candle with the true open there.

    Returns the borders up to which shares of stakes differ. That is no finding, because they may depend on what was
    asked before. Raises CausalityError or DeterminismError.
    """
    settings, doubtful, rng = case.settings, [], np.random.default_rng()
    with Worker(case.strategy, settings, case.task("look"), seconds=seconds) as worker:
        previous: int | None = None
        for border in borders:
            since = _first(settings) if tail is None else border - tail * settings.step_ms
            with _blamed(case, border):
                spans = _spans(case, [border], tail)
                tables = scenarios.cut(case.tables, previous, border if spans is None else border + settings.step_ms)
                if spans is not None:
                    tables = scenarios.turned(tables, border, float(rng.choice(scenarios.POWERS)), case.ticks)
                worker.send({"task": "look", "since_ms": since, "stakes": spans}, tables)
                decisions = worker.stage()
                confirm(case, decided(case, decisions, until_ms=border, since_ms=since))
            if spans is not None and shares(case.claim.decisions, decisions, spans):
                doubtful.append(border)
                if len(doubtful) <= CONFIRMED:
                    world = scenarios.turned(
                        scenarios.cut(case.tables, None, border + settings.step_ms), border, 1.0, case.ticks
                    )
                    confirm_shares(case, world, spans)
            previous = border
        if after:
            beyond, _ = case.after()
            with _blamed(case, None):
                spans = _spans(case, [case.claim.last_ms], None)
                worker.send(
                    {"task": "look", "since_ms": _first(settings), "stakes": spans},
                    _rest(case.tables, beyond, previous),
                )
                decisions = worker.stage()
                if decided(case, decisions, until_ms=None):
                    confirm(case, Finding("", ""), told=AFTER)
            if shares(case.claim.decisions, decisions, spans):
                doubtful.extend(borders[-1:])
            worker.send({"task": "end"}, {})
            with _blamed(case, None):
                worker.stage()
    return doubtful


def detoured(case: Case, borders: list[int], tail: int, rng: np.random.Generator) -> set[int]:
    """
    Returns the borders before which the last `tail` candles were decided as with the true future, in one world that
    makes a detour at each border. Asks a fresh worker; if it fails, returns none. A difference is no finding, because
    what a detour leaves in a strategy's memory causes one too.
    """
    step = case.settings.step_ms
    spans = _spans(case, borders, tail)
    try:
        decisions = _looked(case, scenarios.detoured(case.tables, borders, step, case.ticks, rng), spans)
    except StrategyError:
        return set()
    spans_by_border = [None] * len(borders) if spans is None else [[span] for span in spans]
    same = [
        border
        for border, border_spans in zip(borders, spans_by_border, strict=True)
        if not shares(case.claim.decisions, decisions, border_spans)
    ]
    return {
        border for border in same if decided(case, decisions, until_ms=border, since_ms=border - tail * step) is None
    }


def repeats_shares(case: Case, at_ms: list[int]) -> bool:
    """
    Whether a fresh worker that is asked only for the shares of stakes in the candles of these instants repeats them,
    with the same candles. Otherwise they depend on what was asked before. Raises StrategyError.
    """
    spans = _spans(case, at_ms, 0)
    return spans is None or shares(case.claim.decisions, _looked(case, case.tables, spans), spans) is None


def confirm_shares(case: Case, world: Tables, spans: list[list[int]]) -> None:
    """
    Asks fresh workers for the same shares of stakes and nothing else: twice with the true candles, and once in another
    world. Raises DeterminismError or CausalityError if they differ.
    """
    first, second, without = (_looked(case, tables, spans) for tables in (case.tables, case.tables, world))
    if shares(first, second, spans):
        raise DeterminismError("determinism: two fresh runs with the same candles answer other shares of stakes")
    if finding := shares(first, without, spans):
        raise CausalityError(f"causality: {finding}")


def _looked(case: Case, world: Tables, spans: list[list[int]] | None) -> Decisions | None:
    """Returns what a fresh worker decides on frames of full length in the given world. Raises StrategyError."""
    return look(case.strategy, case.settings, case.task("look"), world, since_ms=_first(case.settings), stakes=spans)


def _spans(case: Case, borders: list[int], tail: int | None) -> list[list[int]] | None:
    """
    Returns the spans of time for which shares of stakes are asked: the last `tail` candles before each border, at most
    SHARES of them, and the candle that opens there. None if the strategy has no shares.
    """
    if case.claim.decisions.stakes is None:
        return None
    open_times = np.sort(np.concatenate([stakes.open_ms for stakes in case.claim.decisions.stakes.values()]))
    spans = []
    for border in borders:
        last = open_times[: np.searchsorted(open_times, border)][-SHARES:]
        since = int(last[0]) if len(last) else border
        spans.append([since if tail is None else max(since, border - tail * case.settings.step_ms), border])
    return spans


def populated(case: Case, tables: Tables, window: Window, ticks: Ticks) -> Decisions:
    """
    Returns signals and parameters in another market, from a fresh worker that runs only the populate functions. Raises
    StrategyError.
    """
    with Worker(case.strategy, case.settings, Task("look", window, case.markets, ticks=ticks)) as worker:
        spans = None if case.claim.decisions.stakes is None else [[window.start_ms, window.end_ms]]
        worker.send({"task": "look", "since_ms": window.start_ms - LEAD_MS, "stakes": spans}, tables)
        decisions = worker.stage()
        worker.send({"task": "end"}, {})
        worker.stage()
    if decisions is None:
        raise StrategyError("ends before it has told its signals")
    return decisions


def turned(case: Case, at_ms: int, power: float, rng: np.random.Generator | None = None) -> bool:
    """
    Takes one look at frames of full length whose candles from `at_ms` on went another way, with volumes in another
    order. Returns whether shares of stakes are the same too. Raises as `looks` does.
    """
    world = scenarios.turned(case.tables, at_ms, power, case.ticks)
    world = scenarios.traded_otherwise(world, at_ms, rng or np.random.default_rng())
    spans = _spans(case, [at_ms], None)
    with _blamed(case, at_ms):
        decisions = _looked(case, world, spans)
        confirm(case, decided(case, decisions, until_ms=at_ms))
    if spans is None or not shares(case.claim.decisions, decisions, spans):
        return True
    confirm_shares(case, world, spans)
    return False


def walk(
    case: Case, borders: list[int], rng: np.random.Generator, *, seconds: float | None = None
) -> dict[str, Finding]:
    """
    Runs FreqTrade's loop in stages that end at the borders (at least one), with other candles at each, then on beyond
    the search range.

    Returns an example for each callback whose answer depends on the candle through the trade that FreqTrade passes to
    it. Raises CausalityError or DeterminismError.
    """
    settings, base = case.settings, case.claim.decisions.events
    since = _first(settings)
    handed: dict[str, Finding] = {}
    with Worker(case.strategy, settings, case.task("walk"), seconds=seconds) as worker:
        for k, border in enumerate(borders):
            with _blamed(case, border):
                if k == 0:
                    worker.send(
                        {"task": "walk", "since_ms": since, "border_ms": border},
                        scenarios.cut(case.tables, None, border),
                    )
                decisions = worker.stage()
                finding = decided(case, decisions, until_ms=border)
                events = decisions.events if decisions else None
                confirm(case, finding or answered(case, base, events, borders[k - 1] if k else None, border))
                assert base is not None  # without it, that was a finding
                _candle(case, base, worker, border, rng, handed)
            _next_stage(case, worker, border, borders[k + 1] if k + 1 < len(borders) else None)
        with _blamed(case, None):
            decisions = worker.stage()
            events = decisions.events if decisions else None
            if decided(case, decisions, until_ms=None) or answered(case, base, events, borders[-1], None):
                confirm(case, Finding("", ""), told=AFTER)
            worker.stage()
    return handed


def _candle(
    case: Case, base: Events, worker: Worker, border: int, rng: np.random.Generator, handed: dict[str, Finding]
) -> None:
    """
    Tries one candle in other worlds: one where it went another way; if something was reached inside it, one that keeps
    the side that was reached; and one with the true open, high and low. That one comes last, because a copy may leave
    what it is given for the next copy.
    """
    pairs, ticks = case.settings.pairs, case.ticks
    true = scenarios.cut(case.tables, border, border + case.settings.step_ms)
    power = float(rng.choice(scenarios.POWERS, p=(0.4, 0.2, 0.2, 0.2)))
    others = [scenarios.turned(true, border, power, ticks)]
    if reached := twin_candles.touched(base, border):
        others.append(
            scenarios.reached_otherwise(true, {pairs[p]: side for p, side in reached.items() if p >= 0}, ticks, rng)
        )
    others.append(scenarios.closed_otherwise(true, ticks, rng))
    answers = [_twin(case, worker, border, scenarios.traded_otherwise(other, border, rng)) for other in others]
    alike = answers.pop()
    confirm(case, twin_candles.alike(pairs, base, alike, border))
    for events, other in zip(answers, others, strict=False):
        confirm(case, twin_candles.Candle(pairs, base, events, border, true, other, alike, handed).compare())


def _twin(case: Case, worker: Worker, border: int, other: Tables) -> Events:
    """
    Returns what a copy of the process decides in another candle. Raises as `walk` does if it fails or ends without a
    word.
    """
    worker.send({"task": "twin"}, other)
    events = worker.twin()
    if not isinstance(events, Events):
        refuse(
            case, Finding(when(border), f"fails when the candle goes another way: {events or 'it ends without a word'}")
        )
    return events


def _next_stage(case: Case, worker: Worker, border: int, following: int | None) -> None:
    head = {"task": "walk", "since_ms": _first(case.settings), "border_ms": following or 0}
    if following is not None:
        worker.send(head, scenarios.cut(case.tables, border, following))
        return
    beyond, _ = case.after()
    # a pair that ended before the loop has no row in its last candle; later candles would fill that gap with a row
    until_end = {pair for pair, table in case.tables.items() if len(table) and table[-1, 0] >= case.claim.last_ms}
    worker.send(head, _rest(case.tables, {pair: more for pair, more in beyond.items() if pair in until_end}, border))


def answered(
    case: Case, base: Events | None, told: Events | None, after_ms: int | None, until_ms: int | None
) -> Finding | None:
    """Returns the first event between two instants that differs from the run with the whole range."""
    if base is None or told is None:
        return Finding("", "tells nothing of its callbacks")
    ours = np.flatnonzero(
        (base.time_ms >= (-np.inf if after_ms is None else after_ms))
        & (base.time_ms < (np.inf if until_ms is None else until_ms))
    )
    parted = parting(base, ours, told, range(len(told)))
    return parted and difference(case.settings.pairs, base, parted.ours, told, parted.theirs)


class _blamed:
    """
    Turns a failure that is new into a CausalityError: the strategy fails because the future is missing. Limits and
    findings stay as they are.
    """

    def __init__(self, case: Case, border: int | None) -> None:
        self.case, self.border = case, border

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, StrategyError) or isinstance(error, (CausalityError, DeterminismError)):
            return
        if isinstance(error, LimitError):
            if self.border is None:
                raise LimitError(LIMITED) from None
            return
        if self.border is None:
            raise CausalityError(AFTER) from None
        text = f"causality: fails when its candles end before {when(self.border)}: {error}"
        raise CausalityError(text, error.frames) from None


def confirm(case: Case, found: Finding | None, *, told: str | None = None) -> None:
    """Raises the error for a finding: DeterminismError if two plain runs differ too, CausalityError otherwise."""
    if found is not None:
        refuse(case, found, told=told)


def refuse(case: Case, found: Finding, *, told: str | None = None) -> NoReturn:
    """Raises the error for a finding, like `confirm`."""
    # a random choice between two answers agrees with itself every second time, so ask twice
    again = repeated(case) or repeated(case)
    if again is not None:
        raise DeterminismError(f"determinism: two fresh runs with the same candles differ: {again}")
    raise CausalityError(told or f"causality: {found}")


def repeated(case: Case) -> Finding | None:
    """Returns what differs in a second run with the very same candles."""
    task = Task("backtest", case.settings.search, case.markets, stretch=case.claim.stretch)
    try:
        claim = backtest(case.strategy, case.settings, task, case.tables)
    except LimitError:
        raise  # a busier machine is no randomness
    except StrategyError as error:
        return Finding("", f"the second fails: {error}")
    base, decisions = case.claim.decisions, claim.decisions
    finding = decided(case, decisions, until_ms=None) or answered(case, base.events, decisions.events, None, None)
    if finding:
        return Finding(
            finding.where, finding.what.replace("with the future", "in the first").replace("without", "in the second")
        )
    ours, theirs = case.claim.orders, claim.orders
    if case.described is None and not (
        np.array_equal(ours.price, theirs.price) and np.array_equal(ours.filled_ms, theirs.filled_ms)
    ):
        return Finding("", "other orders")  # a replay's orders follow from the decisions, which are equal
    return None


def _rest(tables: Tables, beyond: Tables, since_ms: int | None) -> Tables:
    """Returns the candles from `since_ms` to the search range's end, and those after it."""
    tail = scenarios.cut(tables, since_ms, None)
    rest = {}
    for pair in tables.keys() | beyond.keys():
        remaining, more = tail.get(pair), beyond.get(pair, np.empty((0, 6)))
        last = tables[pair][-1, 0] if pair in tables and len(tables[pair]) else -np.inf
        more = more[more[:, 0] > last]
        rest[pair] = more if remaining is None else np.concatenate([remaining, more])
    return rest


def _first(settings: Settings) -> int:
    return settings.search.start_ms - LEAD_MS
