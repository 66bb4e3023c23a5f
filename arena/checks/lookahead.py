"""
Does a strategy decide the same when it does not know the future? Fresh workers only, which never held it.

The trusted process feeds a worker its candles stage by stage and compares all that it tells (signals, parameters,
answers of callbacks, orders) with what the strategy decided when the whole range lay open. Stages end at secret
instants; at each of them a walk's copy is given a candle with the same open that went another way. The last stage goes
on into candles after the search range; they are the first weeks again: no worker holds a sealed candle to be checked. A
look with a turned future of the full length shows that it is not the length that matters, and a world of detours asks
at many instants at once.

What differs between two runs with the very same candles is dice, not foresight: a finding is confirmed by a second
plain run.

Not found: foresight that changed no decision at any of the instants, on either side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from arena.accounting.replay.inputs import Described
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
"""All that is told of the last stage, failures included: where and how would be a way to read the validation range."""
LATER = "causality: what is decided after the search range depends on candles that come later"
"""All that is told of a check inside a range that nobody may know."""
CONFIRMED = 3
"""So many looks at most at which shares of stakes are other ones are asked again by fresh workers."""
SHARES = 300
"""So many shares of stakes before an instant are asked for, at most."""
LIMITED = "a check of causality ended at a limit (arena.limits), or its worker ended early"
"""The same for limits in the last stage."""


@dataclass(frozen=True)
class Case:
    """A strategy, what it decided with the whole search range before it, and what is needed to ask again."""

    strategy: Strategy
    settings: Settings
    tables: Tables  # of the search range and its warm-up, as the first run had them
    # the candles after it, sealed ones where there are any, and the range that reaches to their end
    beyond: Callable[[], tuple[Tables, Window]]
    # candles after it that are no secret, for checks, and the range that reaches to their end
    after: Callable[[], tuple[Tables, Window]]
    markets: dict
    claim: Claim
    book: Book
    ticks: Ticks
    described: Described | None = None  # where signals and parameters say everything

    def task(self, kind: str) -> Task:
        """What a probe holds ends where its candles end; no run is told where that is."""
        _, whole = self.after()
        return Task(kind, whole, self.markets, ticks=self.ticks, end_ms=self.claim.last_ms)


def looks(
    case: Case, borders: list[int], *, tail: int | None = None, after: bool = True, seconds: float | None = None
) -> list[int]:
    """
    Populate frames that end at each border, ascending, and compare all signals before it (the last `tail` candles only,
    where given) and all parameters. With `after` the last frames go on beyond the search range. Returns the borders up
    to which shares of stakes are other ones and may follow from what was asked before, so that it is no finding. To be
    asked for one at the border, frames have another candle with its open there.

    Raises CausalityError or DeterminismError.
    """
    settings, doubtful, powers = case.settings, [], np.random.default_rng()
    with Worker(case.strategy, settings, case.task("look"), seconds=seconds) as made:
        before: int | None = None
        for border in borders:
            since = _first(settings) if tail is None else border - tail * settings.step_ms
            with _blamed(case, border):
                spans = _spans(case, [border], tail)
                tables = scenarios.cut(case.tables, before, border if spans is None else border + settings.step_ms)
                if spans is not None:
                    tables = scenarios.turned(tables, border, float(powers.choice(scenarios.POWERS)), case.ticks)
                made.send({"task": "look", "since_ms": since, "stakes": spans}, tables)
                told = made.stage()
                confirm(case, decided(case, told, until_ms=border, since_ms=since))
            if shares(case.claim.decisions, told, spans):
                doubtful.append(border)
                if len(doubtful) <= CONFIRMED:
                    world = scenarios.turned(
                        scenarios.cut(case.tables, None, border + settings.step_ms), border, 1.0, case.ticks
                    )
                    confirm_shares(case, world, spans)
            before = border
        if after:
            beyond, _ = case.after()
            with _blamed(case, None):
                spans = _spans(case, [case.claim.last_ms], None)
                made.send(
                    {"task": "look", "since_ms": _first(settings), "stakes": spans}, _rest(case.tables, beyond, before)
                )
                told = made.stage()
                if decided(case, told, until_ms=None):
                    confirm(case, Finding("", ""), told=AFTER)
            if shares(case.claim.decisions, told, spans):
                doubtful.extend(borders[-1:])
            made.send({"task": "end"}, {})
            with _blamed(case, None):
                made.stage()
    return doubtful


def detoured(case: Case, borders: list[int], tail: int, rng: np.random.Generator) -> set[int]:
    """
    Those of the borders before which the last `tail` candles were decided as with the true future, in one world that
    makes a detour at each of them. From a fresh worker; where it fails, none. A difference is no finding: what a detour
    leaves in a strategy's memory makes one too.
    """
    step = case.settings.step_ms
    spans = _spans(case, borders, tail)
    try:
        told = _looked(case, scenarios.detoured(case.tables, borders, step, case.ticks, rng), spans)
    except StrategyError:
        return set()
    asked = [None] * len(borders) if spans is None else [[span] for span in spans]
    same = [border for border, own in zip(borders, asked, strict=True) if not shares(case.claim.decisions, told, own)]
    return {border for border in same if decided(case, told, until_ms=border, since_ms=border - tail * step) is None}


def repeats_shares(case: Case, at_ms: list[int]) -> bool:
    """
    Whether shares of stakes in the candles of these instants are the same again from a fresh worker that is asked for
    them alone, with the same candles. Others follow from what was asked before. Raises StrategyError.
    """
    spans = _spans(case, at_ms, 0)
    return spans is None or shares(case.claim.decisions, _looked(case, case.tables, spans), spans) is None


def confirm_shares(case: Case, world: Tables, spans: list[list[int]]) -> None:
    """
    Asks fresh workers for the same shares of stakes and for nothing else: twice with the true candles, and once in
    another world. Raises DeterminismError or CausalityError where they differ.
    """
    told, again, without = (_looked(case, tables, spans) for tables in (case.tables, case.tables, world))
    if shares(told, again, spans):
        raise DeterminismError("determinism: two fresh runs with the same candles answer other shares of stakes")
    if found := shares(told, without, spans):
        raise CausalityError(f"causality: {found}")


def _looked(case: Case, world: Tables, spans: list[list[int]] | None) -> Decisions | None:
    """What a fresh worker decides in frames of the full length, in a world of their own. Raises StrategyError."""
    return look(case.strategy, case.settings, case.task("look"), world, since_ms=_first(case.settings), stakes=spans)


def _spans(case: Case, borders: list[int], tail: int | None) -> list[list[int]] | None:
    """
    Between which instants shares of stakes are asked for: in the last `tail` candles before each border, at most SHARES
    of them, and in the candle that opens there. None where they say nothing.
    """
    if case.claim.decisions.stakes is None:
        return None
    known = np.sort(np.concatenate([told.open_ms for told in case.claim.decisions.stakes.values()]))
    spans = []
    for border in borders:
        last = known[: np.searchsorted(known, border)][-SHARES:]
        since = int(last[0]) if len(last) else border
        spans.append([since if tail is None else max(since, border - tail * case.settings.step_ms), border])
    return spans


def populated(case: Case, tables: Tables, window: Window, ticks: Ticks) -> Decisions:
    """
    Signals and parameters in another market, from a fresh worker that runs the populate functions alone. Raises
    StrategyError.
    """
    with Worker(case.strategy, case.settings, Task("look", window, case.markets, ticks=ticks)) as made:
        spans = None if case.claim.decisions.stakes is None else [[window.start_ms, window.end_ms]]
        made.send({"task": "look", "since_ms": window.start_ms - LEAD_MS, "stakes": spans}, tables)
        told = made.stage()
        made.send({"task": "end"}, {})
        made.stage()
    if told is None:
        raise StrategyError("ends before it has told its signals")
    return told


def turned(case: Case, at_ms: int, power: float, rng: np.random.Generator | None = None) -> bool:
    """
    One look at frames of full length whose candles from `at_ms` on went another way, volumes in another order. Returns
    whether shares of stakes are the same too. Raises as `looks`.
    """
    world = scenarios.turned(case.tables, at_ms, power, case.ticks)
    world = scenarios.traded_otherwise(world, at_ms, rng or np.random.default_rng())
    spans = _spans(case, [at_ms], None)
    with _blamed(case, at_ms):
        told = _looked(case, world, spans)
        confirm(case, decided(case, told, until_ms=at_ms))
    if not shares(case.claim.decisions, told, spans):
        return True
    confirm_shares(case, world, spans)
    return False


def walk(
    case: Case, borders: list[int], rng: np.random.Generator, *, seconds: float | None = None
) -> dict[str, Finding]:
    """
    FreqTrade's loop in stages that end at the borders, one at least, other candles at each, then on beyond the search
    range.

    Returns an example for each callback whose answer depends on the candle through the trade that FreqTrade hands it.
    Raises CausalityError or DeterminismError.
    """
    settings, base = case.settings, case.claim.decisions.events
    since = _first(settings)
    handed: dict[str, Finding] = {}
    with Worker(case.strategy, settings, case.task("walk"), seconds=seconds) as made:
        for k, border in enumerate(borders):
            with _blamed(case, border):
                if k == 0:
                    made.send(
                        {"task": "walk", "since_ms": since, "border_ms": border},
                        scenarios.cut(case.tables, None, border),
                    )
                told = made.stage()
                found = decided(case, told, until_ms=border)
                confirm(case, found or answered(case, base, told.events, borders[k - 1] if k else None, border))
                _candle(case, base, made, border, rng, handed)
            _next_stage(case, made, border, borders[k + 1] if k + 1 < len(borders) else None)
        with _blamed(case, None):
            told = made.stage()
            if decided(case, told, until_ms=None) or answered(case, base, told.events, borders[-1], None):
                confirm(case, Finding("", ""), told=AFTER)
            made.stage()
    return handed


def _candle(
    case: Case, base: Events, made: Worker, border: int, rng: np.random.Generator, handed: dict[str, Finding]
) -> None:
    """
    One candle in other worlds: gone another way; where something was reached inside it, with the side that was reached
    as it was; and with the true open, high and low, which comes last, because what one copy is given it may leave for
    the next.
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
    told = [_twin(case, made, border, scenarios.traded_otherwise(other, border, rng)) for other in others]
    alike = told.pop()
    confirm(case, twin_candles.alike(pairs, base, alike, border))
    for events, other in zip(told, others, strict=False):
        confirm(case, twin_candles.Candle(pairs, base, events, border, true, other, alike, handed).compare())


def _twin(case: Case, made: Worker, border: int, other: Tables) -> Events:
    """What a copy of the process decides in another candle. Raises as `walk` where it fails, or ends without a word."""
    made.send({"task": "twin"}, other)
    said = made.twin()
    if not isinstance(said, Events):
        confirm(
            case, Finding(when(border), f"fails when the candle goes another way: {said or 'it ends without a word'}")
        )
    return said


def _next_stage(case: Case, made: Worker, border: int, following: int | None) -> None:
    head = {"task": "walk", "since_ms": _first(case.settings), "border_ms": following or 0}
    if following is not None:
        made.send(head, scenarios.cut(case.tables, border, following))
        return
    beyond, _ = case.after()
    # a pair that ended before the loop has no row in its last candle; candles that follow would fill the gap with one
    until_end = {pair for pair, table in case.tables.items() if len(table) and table[-1, 0] >= case.claim.last_ms}
    made.send(head, _rest(case.tables, {pair: more for pair, more in beyond.items() if pair in until_end}, border))


def answered(
    case: Case, base: Events | None, told: Events | None, after_ms: int | None, until_ms: int | None
) -> Finding | None:
    """The first event between two instants that is not as it was with the whole range."""
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
    A strategy that fails where it did not fail before fails for want of the future; limits and findings stay
    themselves.
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
    """Nothing, or the error that the finding is: dice when two plain runs differ too, foresight otherwise."""
    if found is None:
        return
    # dice that fall on two sides agree with themselves every second time: asked twice
    again = repeated(case) or repeated(case)
    if again is not None:
        raise DeterminismError(f"determinism: two fresh runs with the same candles differ: {again}")
    raise CausalityError(told or f"causality: {found}")


def repeated(case: Case) -> Finding | None:
    """What differs in a second run with the very same candles."""
    task = Task("backtest", case.settings.search, case.markets, stretch=case.claim.stretch)
    try:
        claim = backtest(case.strategy, case.settings, task, case.tables)
    except LimitError:
        raise  # a machine that was busier than before is no dice
    except StrategyError as error:
        return Finding("", f"the second fails: {error}")
    base, told = case.claim.decisions, claim.decisions
    found = decided(case, told, until_ms=None) or answered(case, base.events, told.events, None, None)
    if found:
        return Finding(
            found.where, found.what.replace("with the future", "in the first").replace("without", "in the second")
        )
    ours, theirs = case.claim.orders, claim.orders
    if case.described is None and not (
        np.array_equal(ours.price, theirs.price) and np.array_equal(ours.filled_ms, theirs.filled_ms)
    ):
        return Finding("", "other orders")  # those of a replay follow from what is equal
    return None


def _rest(tables: Tables, beyond: Tables, since_ms: int | None) -> Tables:
    """Candles from `since_ms` to the search range's end, and those after it."""
    left = scenarios.cut(tables, since_ms, None)
    made = {}
    for pair in tables.keys() | beyond.keys():
        known, more = left.get(pair), beyond.get(pair, np.empty((0, 6)))
        last = tables[pair][-1, 0] if pair in tables and len(tables[pair]) else -np.inf
        more = more[more[:, 0] > last]
        made[pair] = more if known is None else np.concatenate([known, more])
    return made


def _first(settings: Settings) -> int:
    return settings.search.start_ms - LEAD_MS
