"""
Compares decisions in one candle between the world that happened and others where the candle goes another way. Pure.

At the open of a candle nothing may depend on where it goes, except by FreqTrade's own rules: a stop, a target or a
limit is touched or not, and FreqTrade asks the strategy afterwards, or not. An answer is compared if the callback had
the same arguments.

FreqTrade itself passes the candle to a strategy when it puts the high and the low into the trade's highest and lowest
rate before it asks about an exit. A different answer is no finding then. The check reports the callback, and exits that
it decides are valued at the next candle's open.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.checks.comparison import Finding
from arena.decisions import NAMES, Events
from arena.errors import when
from arena.market.candle_tables import Tables
from arena.records import ORDER_KINDS

TOUCHES = frozenset({"stop", "trailing", "roi", "other"})
"""Exits that FreqTrade decides inside a candle, by its prices. `other` holds a liquidation."""
HANDED = {
    "custom_exit": ("custom",),
    "custom_roi": ("roi",),
    "custom_exit_price": ("signal", "custom"),
    "confirm_trade_exit": ("signal", "custom", "roi", "stop", "trailing"),
}
"""Callbacks that get a trade that knows the candle, and the kinds of exits that they decide."""
EXIT_ASKED = "exit asked"
ROUNDING = 1e-9
"""
Numbers whose relative difference is below this are equal, because matrix products round a row by how many rows there
are.
"""
STOPS = NAMES.index("custom_stoploss")
"""FreqTrade asks it with the candle's high. In a candle with another high its answers are left out."""


def late(handed: Iterable[str]) -> frozenset[str]:
    """Returns the kinds of exits that these callbacks decide."""
    return frozenset(kind for name in handed for kind in HANDED[name])


def same(a: Events, i: np.ndarray, b: Events, j: np.ndarray) -> np.ndarray:
    """
    Returns which events are equal one by one, numbers except for rounding. Compares texts by content, because two lists
    may number them differently.
    """
    equal = (
        (a.time_ms[i] == b.time_ms[j]) & (a.pair[i] == b.pair[j]) & (a.name[i] == b.name[j]) & (a.kind[i] == b.kind[j])
    )
    x, y = a.value[i], b.value[j]
    value = np.where(a.kind[i] == 0, np.isclose(x, y, rtol=ROUNDING, atol=0, equal_nan=True), x == y)
    if a.texts[: len(b.texts)] != b.texts[: len(a.texts)]:
        for k in np.flatnonzero(equal & (a.kind[i] == 1)):
            value[k] = a.answer(int(i[k])) == b.answer(int(j[k]))
    return equal & value


class Parting(NamedTuple):
    """Where two lists of events part."""

    place: int  # in both lists
    ours: int | None  # the event of each there, None where the list has ended
    theirs: int | None


def parting(
    base: Events, ours: Sequence[int] | NDArray[np.intp], told: Events, theirs: Sequence[int]
) -> Parting | None:
    """
    Returns the first place at which events of two runs, given by their indices in order, differ; None if there is none.
    """
    n = min(len(ours), len(theirs))
    different = np.flatnonzero(~same(base, np.array(ours[:n], dtype=int), told, np.array(theirs[:n], dtype=int)))
    k = int(different[0]) if len(different) else n
    if k >= max(len(ours), len(theirs)):
        return None
    return Parting(k, int(ours[k]) if k < len(ours) else None, int(theirs[k]) if k < len(theirs) else None)


def difference(pairs: tuple[str, ...], base: Events, i: int | None, told: Events, j: int | None) -> Finding:
    """
    Describes event `i` of the run that held the future against event `j` of one that did not; None means no event.
    """

    def place(events: Events, k: int) -> str:
        pair = pairs[events.pair[k]] if 0 <= events.pair[k] < len(pairs) else ""
        return f"{pair} {when(int(events.time_ms[k]))}".strip()

    def sentence(events: Events, k: int) -> str:
        return (
            f"an exit ({_kind(events, k)}) is placed"
            if _name(events, k) == EXIT_ASKED
            else f"{_name(events, k)} is {events.answer(k)}"
        )

    if i is not None and j is not None and place(base, i) == place(told, j):
        if base.name[i] != told.name[j] and _name(base, i) != EXIT_ASKED:
            return Finding(
                place(base, i),
                f"{sentence(base, i)} with the future; without it comes {sentence(told, j).replace(' is ', ' ', 1)}",
            )
        if base.name[i] == told.name[j]:
            other = f"an exit ({_kind(told, j)})" if _name(told, j) == EXIT_ASKED else told.answer(j)
            return Finding(place(base, i), f"{sentence(base, i)} with the future, {other} without")
    # one list has an extra event: the earlier of the two events is the one that the other list lacks
    only_told = i is None or (j is not None and told.time_ms[j] < base.time_ms[i])
    events, k, ours, theirs = (told, j, "without", "with it") if only_told else (base, i, "with", "without")
    assert k is not None  # one of the lists has an event there
    missing = "none" if _name(events, k) == EXIT_ASKED else "not there"
    return Finding(place(events, k), f"{sentence(events, k)} {ours} the future, {missing} {theirs}")


def touched(base: Events, border: int) -> dict[int, str]:
    """Returns by pair index which extreme of the candle FreqTrade has acted on in it: 'low' or 'high'."""
    sides = {}
    for k in np.flatnonzero(base.time_ms == border).tolist():
        kind = ORDER_KINDS[int(base.value[k])] if _name(base, k) == "exit asked" else ""
        if kind in TOUCHES:
            sides[int(base.pair[k])] = "high" if kind == "roi" else "low"
    return sides


def alike(pairs: tuple[str, ...], base: Events, told: Events, border: int) -> Finding | None:
    """
    Returns the first event of a candle that differs although only its close and volume do. FreqTrade uses a close in
    one case: in the candle of an entry below the open, it checks whether a target lies above the close.
    """
    ours = np.flatnonzero(base.time_ms == border)
    parted = parting(base, ours, told, range(len(told)))
    if parted is None:
        return None
    k, i, j = parted
    pair = base.pair[i] if i is not None else told.pair[j]
    before = [int(at) for at in ours[:k] if base.pair[at] == pair]
    other_names = i is None or j is None or base.name[i] != told.name[j]
    if other_names and _awaits_target(base, before) and any(_name(base, at) == "filled" for at in before):
        return None
    return difference(pairs, base, i, told, j)


@dataclass(frozen=True)
class Candle:
    """One candle in the world that happened, and in another with the same open."""

    pairs: tuple[str, ...]
    base: Events  # of the whole run
    told: Events  # of the other world, of this candle alone
    border: int
    true: Tables
    other: Tables
    alike: Events | None = None  # of the world where only the close differs: has the callbacks' true arguments
    # by callback: an answer that depends on the trade's extremes
    handed: dict[str, Finding] = field(default_factory=dict)

    def compare(self) -> Finding | None:
        """
        Returns the first decision that the candle does not explain, pair by pair. After a difference that it explains,
        the rest of that pair's candle is not compared, and later events of other pairs may have seen another account.
        """
        base, told = self.base, self.told
        ours, theirs = (_by_pair(events, self.border) for events in (base, told))
        parted: list[tuple[int, int | None, int | None, list[int]]] = []
        first_event = int(np.searchsorted(base.time_ms, self.border))
        for pair in ours.keys() | theirs.keys():
            pair_events = ours.get(pair, [])
            if split := parting(base, pair_events, told, theirs.get(pair, [])):
                k, i, j = split
                place = j if i is None else i - first_event
                assert place is not None  # one of the lists has an event there
                parted.append((place, i, j, pair_events[:k]))
        explained = False
        for _, i, j, before in sorted(parted, key=lambda item: item[0]):
            if self._explains(i, j, before):
                explained = True
            elif not explained or "bot_loop_start" in self._names(i, j):
                return difference(self.pairs, base, i, told, j)
        return None

    def _explains(self, i: int | None, j: int | None, before: list[int]) -> bool:
        """Whether FreqTrade's rules explain it, given the events of this pair that are the same in both worlds."""
        names, sides = self._names(i, j), self._sides(i, j)
        if "lock_pair" in names:
            return all(self._after_a_touch(events, k) for events, k, _ in sides if _name(events, k) == "lock_pair")
        if "filled" in names:
            return not any(self._within_both(events, k) for events, k, _ in sides if _name(events, k) == "filled")
        if "exit asked" in names:
            return all(
                ORDER_KINDS[int(events.value[k])] in TOUCHES
                for events, k, _ in sides
                if _name(events, k) == "exit asked"
            )
        inside = self._touched(before)
        if inside and names & {"exit price", "exit amount"} or self._clamped(names, sides):
            return True
        if len(names) != 1 or i is None or j is None:
            return _awaits_target(self.base, before)
        return self._asked_otherwise(min(names), i, j, inside)

    def _asked_otherwise(self, name: str, i: int, j: int, inside: bool) -> bool:
        """Whether the same callback was asked with other arguments."""
        given = self._given(i, j)
        if given is None:
            return inside and name == "confirm_trade_exit"
        (numbers, extremes), (other_numbers, other_extremes) = given
        if numbers == other_numbers and extremes != other_extremes and name in HANDED:
            self.handed.setdefault(name, difference(self.pairs, self.base, i, self.told, j))
            return True
        return bool(numbers != other_numbers)

    def _given(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns what a callback was given in both worlds; None if that is unknown."""
        k = i - int(np.searchsorted(self.base.time_ms, self.border))
        if self.alike is None or self.alike.given is None or self.told.given is None or k >= len(self.alike):
            return None
        if not same(self.base, np.array([i]), self.alike, np.array([k]))[0]:
            return None
        return self.alike.given[k], self.told.given[j]

    def _names(self, i: int | None, j: int | None) -> set[str]:
        return {_name(events, k) for events, k, _ in self._sides(i, j)}

    def _sides(self, i: int | None, j: int | None) -> list[tuple[Events, int, Tables]]:
        return [
            (events, k, tables)
            for events, k, tables in ((self.base, i, self.true), (self.told, j, self.other))
            if k is not None
        ]

    def _touched(self, before: Iterable[int]) -> bool:
        """Whether the exit under way in both worlds was reached inside the candle."""
        exits = [k for k in before if _name(self.base, k) == "exit asked"]
        return bool(exits) and ORDER_KINDS[int(self.base.value[exits[-1]])] in TOUCHES

    def _after_a_touch(self, events: Events, k: int) -> bool:
        """Whether a pair's candle reached anything before that pair was locked, or any pair's before all were."""
        first_event = int(np.searchsorted(events.time_ms, self.border))
        earlier = [n for n in range(first_event, k) if events.pair[k] < 0 or events.pair[n] == events.pair[k]]
        kinds = {ORDER_KINDS[int(events.value[n])] for n in earlier if _name(events, n) == "exit asked"}
        return bool(kinds & TOUCHES) or any(_name(events, n) == "filled" for n in earlier)

    def _within_both(self, events: Events, k: int) -> bool:
        """Whether the price of a fill lies inside the candle of both worlds, so that it fills in both."""
        rows = [self._row(tables, int(events.pair[k])) for tables in (self.true, self.other)]
        return all(row is not None and row[3] <= events.value[k] <= row[2] for row in rows)

    def _clamped(self, names: set[str], sides: list[tuple[Events, int, Tables]]) -> bool:
        """
        Whether this is the price of an exit that was asked for below the candle, which FreqTrade raises to its low, or
        of an entry asked for above it, which FreqTrade cuts to its high.
        """
        extreme = {frozenset({"exit price"}): 3, frozenset({"entry price"}): 2}.get(frozenset(names))
        if extreme is None:
            return False
        rows = [(events.value[k], self._row(tables, int(events.pair[k]))) for events, k, tables in sides]
        return any(row is not None and value == row[extreme] for value, row in rows)

    def _row(self, tables: Tables, pair: int) -> np.ndarray | None:
        table = tables.get(self.pairs[pair]) if 0 <= pair < len(self.pairs) else None
        if table is None:
            return None
        rows = table[table[:, 0] == self.border]
        return rows[0] if len(rows) else None


def _name(events: Events, k: int) -> str:
    return NAMES[events.name[k]]


def _kind(events: Events, k: int) -> str:
    """Returns the kind of an exit that is asked for."""
    number = float(events.value[k])
    return ORDER_KINDS[int(number)] if 0 <= number < len(ORDER_KINDS) else "other"


def _awaits_target(base: Events, before: list[int]) -> bool:
    """
    Whether the last event in both worlds is a reached target. In the candle of an entry below the open, its close can
    forbid that.
    """
    last = next((k for k in reversed(before) if _name(base, k) != "custom_roi"), None)
    return last is not None and _name(base, last) == "exit asked" and ORDER_KINDS[int(base.value[last])] == "roi"


def _by_pair(events: Events, at_ms: int) -> dict[int, list[int]]:
    """Returns the indices of a candle's events by pair."""
    indices: dict[int, list[int]] = {}
    for k in np.flatnonzero((events.time_ms == at_ms) & (events.name != STOPS)):
        indices.setdefault(int(events.pair[k]), []).append(int(k))
    return indices
