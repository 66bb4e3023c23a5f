"""
Compares signals and parameters with and without the future. Missing ones are a finding too, because they cannot be
compared. Pure.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from arena.decisions import LEAD_MS, Decisions, Signals, Stakes, inside
from arena.errors import when
from arena.market.candle_tables import Tables
from arena.records import Claim, Strategy
from arena.settings import Settings

NOTHING = Signals(
    0,
    enter=np.zeros(0, dtype=np.bool_),
    exit=np.zeros(0, dtype=np.bool_),
    enter_tag=np.zeros(0, dtype=np.uint64),
    exit_tag=np.zeros(0, dtype=np.uint64),
)
NO_STAKES = Stakes(np.zeros(0, dtype=np.int64), np.zeros(0))
SAME_SHARE = 1e-9
"""Shares of stakes whose relative difference is below this are equal."""
TITLES = {"enter": "enter_long", "exit": "exit_long", "enter_tag": "enter_tag", "exit_tag": "exit_tag"}


class Asked(Protocol):
    """What a comparison refers to: a strategy, its candles, and what it decided with the whole range."""

    @property
    def strategy(self) -> Strategy: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def tables(self) -> Tables: ...

    @property
    def claim(self) -> Claim: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """The first decision that differs. `where` is pair and candle, `what` compares the two decisions."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where} {self.what}".strip()


def decided(case: Asked, told: Decisions | None, until_ms: int | None, since_ms: int | None = None) -> Finding | None:
    """
    Returns the first parameter or signal that differs from the decisions with the whole range. Compares candles before
    `until_ms` and, if given, from `since_ms` on. A missing signal or parameter is a finding too.
    """
    if told is None:
        return Finding("", "ends before its candles do")
    with_future, step = case.claim.decisions, case.settings.step_ms
    for name in dict.fromkeys((*with_future.parameters, *told.parameters)):
        expected, actual = (side.parameters.get(name, "nothing") for side in (with_future, told))
        if actual != expected:
            return Finding(f"parameter {name}", f"is {expected} with the future, {actual} without")
    first: tuple[int, Finding] | None = None
    for pair in dict.fromkeys((*with_future.signals, *told.signals)):
        whole, part = (side.signals.get(pair, NOTHING) for side in (with_future, told))
        start, end = asked(case, pair, since_ms, until_ms)
        if end <= start:
            continue  # no candle had arrived
        for side, which in ((whole, "with"), (part, "without")):
            if side.start_ms > start or side.start_ms + len(side.enter) * step < end:
                return Finding(
                    f"{pair} {when(start)}", f"has no signal for every candle that there is {which} the future"
                )
        n, a, b = (end - start) // step, (start - whole.start_ms) // step, (start - part.start_ms) // step
        for column, title in TITLES.items():
            ours, theirs = getattr(whole, column)[a : a + n], getattr(part, column)[b : b + n]
            if not np.array_equal(ours, theirs):
                k = int(np.argmax(ours != theirs))
                values = ("one", "another") if "tag" in column else (int(ours[k]), int(theirs[k]))
                what = "is {} with the future, {} without".format(*values)
                if first is None or start + k * step < first[0]:
                    first = (start + k * step, Finding(f"{pair} {when(start + k * step)}", f"{title} {what}"))
    return first and first[1]


def shares(ours: Decisions | None, theirs: Decisions | None, spans: list[list[int]] | None) -> Finding | None:
    """
    Returns the first share of a stake that differs, among candles that open in one of the spans; None also if `ours`
    has no shares or nothing was asked. Allows for rounding, because sums over other earlier candles differ in their
    last digits.
    """
    if spans is None or ours is None or ours.stakes is None:
        return None
    if theirs is None or theirs.stakes is None:
        return Finding("", "tells no shares of its stakes")
    for pair, our_stakes in ours.stakes.items():
        a, b = (_asked_for(stakes, spans) for stakes in (our_stakes, theirs.stakes.get(pair, NO_STAKES)))
        if not np.array_equal(a.open_ms, b.open_ms):
            return Finding(pair, "may enter at other candles")
        same = np.isclose(a.scale, b.scale, rtol=SAME_SHARE, atol=0, equal_nan=True)
        if not same.all():
            k = int(np.argmin(same))
            what = (
                f"custom_stake_amount is {a.scale[k]:.6g} of what is proposed with the future, {b.scale[k]:.6g} without"
            )
            return Finding(f"{pair} {when(int(a.open_ms[k]))}", what)
    return None


def _asked_for(stakes: Stakes, spans: list[list[int]]) -> Stakes:
    within = inside(stakes.open_ms, spans)
    return Stakes(stakes.open_ms[within], stakes.scale[within])


def asked(case: Asked, pair: str, since_ms: int | None, until_ms: int | None) -> tuple[int, int]:
    """
    Returns the open times of the first candle of a pair whose signals must be there, and of the candle after the last.
    None is no border.
    """
    settings, step = case.settings, case.settings.step_ms
    times = case.tables[pair][:, 0] if pair in case.strategy.pairs else np.empty(0)
    first = int(np.searchsorted(times, settings.search.start_ms - case.claim.startup * step))
    end = len(times) if until_ms is None else int(np.searchsorted(times, until_ms))
    if end <= first:
        return 0, 0
    begin_ms = int(times[first])
    ahead = max(settings.search.start_ms - LEAD_MS, since_ms or 0) - begin_ms
    return begin_ms + max(-(-ahead // step), 0) * step, int(times[end - 1]) + step
