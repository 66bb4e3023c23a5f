"""
Does a strategy decide the same when it does not know the future? Fresh workers only, which never held it.

The trusted process feeds a worker its candles stage by stage and compares all that it tells (signals, parameters, answers of
callbacks, orders) with what the strategy decided when the whole range lay open. Stages end at secret instants; at each of
them a walk's copy is given a candle with the same open that went another way. The last stage goes on into candles after the
search range; they are the first weeks again: no worker holds a sealed candle to be checked. A look with a turned future of the full length shows that it is not the length that matters.

What differs between two runs with the very same candles is dice, not foresight: a finding is confirmed by a second plain run.

Not found: foresight that changed no decision at any of the instants, on either side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from arena import worlds
from arena.claims import LEAD_MS, NAMES, Decisions, Events
from arena.course import Described
from arena.decided import Finding, decided
from arena.errors import CausalityError, DeterminismError, LimitError, StrategyError, when
from arena.grid import Tables
from arena.records import ORDER_KINDS, Book, Claim, Strategy, Window
from arena.sandbox import Task, Worker, backtest
from arena.settings import Settings
from arena.worlds import Ticks

POWERS = (1.0, 0.6, 1.5, -2.0)
"""How a candle turns; the negative one goes the same way, further: whoever undoes a turn cannot know that there was none."""
INSIDE = frozenset(
    {"custom_stoploss", "confirm_trade_exit", "exit asked", "exit price", "exit amount", "filled", "order_filled", "lock_pair", "check_exit_timeout",
     "check_entry_timeout"}
)  # fmt: skip
"""What may depend on the candle in which it happens: stops and targets are reached inside it."""
MONEY = frozenset({"custom_stake_amount", "entry amount", "adjust_trade_position"})
"""What may depend on another pair's fill in the same candle."""
EXIT_ASKED = "exit asked"
ROUNDING = 1e-9
"""Numbers that are closer than this, relative, are the same: matrix products round a row by how many rows there are."""
AFTER = "causality: what is decided inside the search range depends on candles after its end"
"""All that is told of the last stage, failures included: what happens there is in no other stage's place."""
LIMITED = "a check of causality ended at a limit (arena.limits), or its worker ended early"
"""The same for limits in the last stage."""


@dataclass(frozen=True)
class Case:
    """A strategy, what it decided with the whole search range before it, and what is needed to ask again."""

    strategy: Strategy
    settings: Settings
    tables: Tables  # of the search range and its warm-up, as the first run had them
    beyond: Callable[[], tuple[Tables, Window]]  # the candles after it, sealed ones where there are any, and the range that reaches to their end
    after: Callable[[], tuple[Tables, Window]]  # candles after it that are no secret, for checks, and the range that reaches to their end
    markets: dict
    claim: Claim
    book: Book
    ticks: Ticks
    described: Described | None = None  # where signals and parameters say everything

    def task(self, kind: str) -> Task:
        """What a probe holds ends where its candles end; no run is told where that is."""
        _, whole = self.after()
        return Task(kind, whole, self.markets, ticks=self.ticks, end_ms=self.claim.last_ms)


def looks(case: Case, borders: list[int], *, tail: int | None = None, after: bool = True, seconds: float | None = None) -> None:
    """
    Populate frames that end at each border, ascending, and compare all signals before it (the last `tail` candles only, where
    given) and all parameters. With `after` the last frames go on beyond the search range.

    Raises CausalityError or DeterminismError.
    """
    settings = case.settings
    with Worker(case.strategy, settings, case.task("look"), seconds=seconds) as made:
        before: int | None = None
        for border in borders:
            since = _first(settings) if tail is None else border - tail * settings.step_ms
            with _blamed(case, border):
                made.send({"task": "look", "since_ms": since}, worlds.cut(case.tables, before, border))
                told = made.stage()
                _agree(case, decided(case, told, until_ms=border, since_ms=since))
            before = border
        if after:
            beyond, _ = case.after()
            with _blamed(case, None):
                made.send({"task": "look", "since_ms": _first(settings)}, _rest(case.tables, beyond, before))
                found = decided(case, made.stage(), until_ms=None)
                if found:
                    _agree(case, Finding("", ""), told=AFTER)
            made.send({"task": "end"}, {})
            with _blamed(case, None):
                made.stage()


def populated(case: Case, tables: Tables, window: Window, ticks: Ticks) -> Decisions:
    """Signals and parameters in another market, from a fresh worker that runs the populate functions alone. Raises StrategyError."""
    with Worker(case.strategy, case.settings, Task("look", window, case.markets, ticks=ticks)) as made:
        made.send({"task": "look", "since_ms": window.start_ms - LEAD_MS}, tables)
        told = made.stage()
        made.send({"task": "end"}, {})
        made.stage()
    if told is None:
        raise StrategyError("ends before it has told its signals")
    return told


def turned(case: Case, at_ms: int, power: float) -> None:
    """One look at frames of full length whose candles from `at_ms` on went another way. Raises as `looks`."""
    world = worlds.turned(case.tables, at_ms, power, case.ticks)
    with Worker(case.strategy, case.settings, case.task("look")) as made, _blamed(case, at_ms):
        made.send({"task": "look", "since_ms": _first(case.settings)}, world)
        _agree(case, decided(case, made.stage(), until_ms=at_ms))


def walk(case: Case, borders: list[int], rng: np.random.Generator, *, seconds: float | None = None) -> None:
    """
    FreqTrade's loop in stages that end at the borders, one at least, a turned candle at each, then on beyond the search range.

    Raises CausalityError or DeterminismError.
    """
    settings, base = case.settings, case.claim.decisions.events
    since = _first(settings)
    with Worker(case.strategy, settings, case.task("walk"), seconds=seconds) as made:
        for k, border in enumerate(borders):
            with _blamed(case, border):
                if k == 0:
                    made.send({"task": "walk", "since_ms": since, "border_ms": border}, worlds.cut(case.tables, None, border))
                told = made.stage()
                found = decided(case, told, until_ms=border)
                _agree(case, found or answered(case, base, told.events, borders[k - 1] if k else None, border))
                candle = worlds.cut(case.tables, border, border + settings.step_ms)
                other = worlds.turned(candle, border, float(rng.choice(POWERS, p=(0.4, 0.2, 0.2, 0.2))), case.ticks)
                made.send({"task": "twin"}, other)
                said = made.twin()
                if isinstance(said, str):
                    _agree(case, Finding(when(border), f"fails when the candle goes another way: {said}"))
                elif said is not None:
                    _agree(case, at_border(case, base, said, border, other))
            _next_stage(case, made, border, borders[k + 1] if k + 1 < len(borders) else None)
        with _blamed(case, None):
            told = made.stage()
            if decided(case, told, until_ms=None) or answered(case, base, told.events, borders[-1], None):
                _agree(case, Finding("", ""), told=AFTER)
            made.stage()


def _next_stage(case: Case, made: Worker, border: int, following: int | None) -> None:
    head = {"task": "walk", "since_ms": _first(case.settings), "border_ms": following or 0}
    if following is not None:
        made.send(head, worlds.cut(case.tables, border, following))
        return
    beyond, _ = case.after()
    # a pair that ended before the loop has no row in its last candle; candles that follow would fill the gap with one
    until_end = {pair for pair, table in case.tables.items() if len(table) and table[-1, 0] >= case.claim.last_ms}
    made.send(head, _rest(case.tables, {pair: more for pair, more in beyond.items() if pair in until_end}, border))


def answered(case: Case, base: Events | None, told: Events | None, after_ms: int | None, until_ms: int | None) -> Finding | None:
    """The first event between two instants that is not as it was with the whole range."""
    if base is None or told is None:
        return Finding("", "tells nothing of its callbacks")
    ours = np.flatnonzero(
        (base.time_ms >= (-np.inf if after_ms is None else after_ms)) & (base.time_ms < (np.inf if until_ms is None else until_ms))
    )
    n = min(len(ours), len(told))
    different = np.flatnonzero(~_same(base, ours[:n], told, np.arange(n)))
    if not len(different) and len(ours) == len(told):
        return None
    k = int(different[0]) if len(different) else n
    return _difference(case, base, int(ours[k]) if k < len(ours) else None, told, k if k < len(told) else None)


def at_border(case: Case, base: Events, told: Events, border: int, other: Tables) -> Finding | None:
    """
    What was decided at the open of one candle, in the world that happened and with the candle turned, as it is in `other`.
    Pair by pair, up to the first difference that the candle itself explains; after such a one, stakes of other pairs may
    differ too.
    """
    ours, theirs = (_by_pair(events, border) for events in (base, told))
    first: dict[int, tuple[int | None, int | None]] = {}  # by pair: where the two lists part
    inside: set[int] = set()  # pairs for which the candle explains it
    for pair in ours.keys() | theirs.keys():
        a, b = ours.get(pair, []), theirs.get(pair, [])
        n = min(len(a), len(b))
        parted = np.flatnonzero(~_same(base, np.array(a[:n], dtype=int), told, np.array(b[:n], dtype=int)))
        k = int(parted[0]) if len(parted) else n
        if k < max(len(a), len(b)):
            first[pair] = (a[k] if k < len(a) else None, b[k] if k < len(b) else None)
            names = _names(base, told, *first[pair])
            explained = names & {"exit asked", "filled"} or (names & INSIDE and not _decided_at_open(base, a[:k]))
            if explained or _clamped(case, base, told, first[pair], other):
                inside.add(pair)
    begun = int(np.searchsorted(base.time_ms, border))
    for pair, (i, j) in sorted(first.items(), key=lambda item: item[1][1] if item[1][0] is None else item[1][0] - begun):
        if pair in inside or (inside and (_names(base, told, i, j) & MONEY or None in (i, j))):
            continue
        return _difference(case, base, i, told, j)
    return None


def _names(base: Events, told: Events, i: int | None, j: int | None) -> set[str]:
    return {NAMES[events.name[k]] for events, k in ((base, i), (told, j)) if k is not None}


def _decided_at_open(base: Events, before: list[int]) -> bool:
    """Whether the exit under way in both worlds was asked for at the open: by a signal or by the strategy."""
    asked = [k for k in before if NAMES[base.name[k]] == "exit asked"]
    return bool(asked) and ORDER_KINDS[int(base.value[asked[-1]])] in ("signal", "custom", "adjust")


def _clamped(case: Case, base: Events, told: Events, parted: tuple[int | None, int | None], other: Tables) -> bool:
    """
    Whether this is the price of an exit that was asked for below the candle, which FreqTrade raises to its low, or of an entry
    asked for above it, which it cuts to its high.
    """
    extreme = {frozenset({"exit price"}): 3, frozenset({"entry price"}): 2}.get(frozenset(_names(base, told, *parted)))
    if extreme is None:
        return False
    for events, k, tables in ((base, parted[0], case.tables), (told, parted[1], other)):
        if k is not None and 0 <= events.pair[k] < len(case.settings.pairs):
            table = tables[case.settings.pairs[events.pair[k]]]
            if events.value[k] in table[table[:, 0] == events.time_ms[k], extreme]:
                return True
    return False


def _by_pair(events: Events, at_ms: int) -> dict[int, list[int]]:
    """Indices of a candle's events by pair; answers that FreqTrade asks with the candle's high are left out."""
    asked_inside = NAMES.index("custom_stoploss")
    found: dict[int, list[int]] = {}
    for k in np.flatnonzero(events.time_ms == at_ms):
        if int(events.name[k]) != asked_inside:
            found.setdefault(int(events.pair[k]), []).append(int(k))
    return found


def _same(a: Events, i: np.ndarray, b: Events, j: np.ndarray) -> np.ndarray:
    """Whether events are equal one by one, numbers but for rounding. Texts are compared as texts: two lists may number them differently."""
    same = (a.time_ms[i] == b.time_ms[j]) & (a.pair[i] == b.pair[j]) & (a.name[i] == b.name[j]) & (a.kind[i] == b.kind[j])
    x, y = a.value[i], b.value[j]
    equal = np.where(a.kind[i] == 0, np.isclose(x, y, rtol=ROUNDING, atol=0, equal_nan=True), x == y)
    if a.texts[: len(b.texts)] != b.texts[: len(a.texts)]:
        for k in np.flatnonzero(same & (a.kind[i] == 1)):
            equal[k] = a.answer(int(i[k])) == b.answer(int(j[k]))
    return same & equal


def _difference(case: Case, base: Events, i: int | None, told: Events, j: int | None) -> Finding:
    pairs = case.settings.pairs

    def place(events: Events, k: int) -> str:
        pair = pairs[events.pair[k]] if 0 <= events.pair[k] < len(pairs) else ""
        return f"{pair} {when(int(events.time_ms[k]))}".strip()

    def said(events: Events, k: int) -> str:
        name, answer = NAMES[events.name[k]], events.answer(k)
        return f"an exit ({_kind(answer)}) is placed" if name == EXIT_ASKED else f"{name} is {answer}"

    if i is not None and j is not None and place(base, i) == place(told, j):
        if base.name[i] != told.name[j] and NAMES[base.name[i]] != EXIT_ASKED:
            return Finding(place(base, i), f"{said(base, i)} with the future; without it comes {said(told, j).replace(' is ', ' ', 1)}")
        if base.name[i] == told.name[j]:
            other = f"an exit ({_kind(told.answer(j))})" if NAMES[told.name[j]] == EXIT_ASKED else told.answer(j)
            return Finding(place(base, i), f"{said(base, i)} with the future, {other} without")
    # two lists part where one has an event more: the earlier of the two is what the other one lacks
    only_told = i is None or (j is not None and told.time_ms[j] < base.time_ms[i])
    events, k, ours, theirs = (told, j, "without", "with it") if only_told else (base, i, "with", "without")
    missing = "none" if NAMES[events.name[k]] == EXIT_ASKED else "not there"
    return Finding(place(events, k), f"{said(events, k)} {ours} the future, {missing} {theirs}")


def _kind(answer: float | str) -> str:
    number = int(answer) if isinstance(answer, float) and np.isfinite(answer) else -1
    return ORDER_KINDS[number] if 0 <= number < len(ORDER_KINDS) else "other"


class _blamed:
    """A strategy that fails where it did not fail before fails for want of the future; limits and findings stay themselves."""

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


def _agree(case: Case, found: Finding | None, *, told: str | None = None) -> None:
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
    except StrategyError as error:
        return Finding("", f"the second fails: {error}")
    base, told = case.claim.decisions, claim.decisions
    found = decided(case, told, until_ms=None) or answered(case, base.events, told.events, None, None)
    if found:
        return Finding(found.where, found.what.replace("with the future", "in the first").replace("without", "in the second"))
    ours, theirs = case.claim.orders, claim.orders
    if case.described is None and not (np.array_equal(ours.price, theirs.price) and np.array_equal(ours.filled_ms, theirs.filled_ms)):
        return Finding("", "other orders")  # those of a replay follow from what is equal
    return None


def _rest(tables: Tables, beyond: Tables, since_ms: int | None) -> Tables:
    """Candles from `since_ms` to the search range's end, and those after it."""
    left = worlds.cut(tables, since_ms, None)
    made = {}
    for pair in tables.keys() | beyond.keys():
        known, more = left.get(pair), beyond.get(pair, np.empty((0, 6)))
        last = tables[pair][-1, 0] if pair in tables and len(tables[pair]) else -np.inf
        more = more[more[:, 0] > last]
        made[pair] = more if known is None else np.concatenate([known, more])
    return made


def _first(settings: Settings) -> int:
    return settings.search.start_ms - LEAD_MS
