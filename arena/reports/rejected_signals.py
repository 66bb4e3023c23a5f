"""
Finds out what became of entry signals: a trade, or why none followed. Pure.

It uses signals, trades and what callbacks answered. Like FreqTrade, it looks first for a position, then at the exit
signal, locks and slots. Not told apart: whether an order that was not even placed lacked money or size. Orders that
waited and never filled are not known to hold a slot.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from arena.accounting.replay import inputs
from arena.accounting.trades import REASONS as EXIT_REASONS
from arena.accounting.trades import TradeView
from arena.decisions import NAMES, Events
from arena.market.candle_tables import Tables
from arena.records import Claim, Market, Strategy

HELD = "the pair had a position or an order already"
LEAVING = "an exit signal stood in the same candle"
LAST = "it was the last candle, where FreqTrade opens nothing"
LOCKED = "the pair was locked"
SLOTS = "no slot was free"
UNCONFIRMED = "confirm_trade_entry said no"
UNFILLED = "the order did not fill at its price"
NO_ORDER = (
    "no order followed: too little money, a stake below the pair's smallest, or an order of its own was still waiting"
)
REASONS = (HELD, LEAVING, LAST, LOCKED, SLOTS, UNCONFIRMED, UNFILLED, NO_ORDER)

Signal = tuple[str, int]
"""Pair, and open time of the signal's candle; FreqTrade acts one candle later."""


def refused(
    claim: Claim, deals: tuple[TradeView, ...], strategy: Strategy, market: Market, tables: Tables, slots: int
) -> dict[str, list[Signal]]:
    """Returns the entry signals of the range that became no trade, by REASONS, by pair and in order of time."""
    rows = {pair: inputs.columns(tables[pair], market, claim.startup) for pair in strategy.pairs}
    last = max(end for _, end in rows.values()) - 1
    account = _Account(deals, strategy, market)
    entries, locks = _asked(claim.decisions.events), _locks(claim.decisions.events, market.step_ms)
    refusals: dict[str, list[Signal]] = {reason: [] for reason in REASONS}
    for rank, pair in enumerate(strategy.pairs):
        signals, p = claim.decisions.signals[pair], market.pairs.index(pair)
        # column in which FreqTrade acts on the first signal
        ahead = (signals.start_ms - int(market.open_ms[0])) // market.step_ms + 1
        for k in np.flatnonzero(signals.enter):
            column = int(k) + ahead
            if not rows[pair][0] <= column < rows[pair][1] or (p, column) in account.opened:
                continue
            now_ms = int(market.open_ms[column])
            if account.held[p, column]:
                reason = HELD
            elif signals.exit[k]:
                reason = LEAVING
            elif column == last:
                reason = LAST
            elif any(since <= now_ms <= until for since, until in locks[p] + locks[-1]):
                reason = LOCKED
            elif 0 < slots <= account.positions(column, rank):
                reason = SLOTS
            elif (p, now_ms) in entries["unconfirmed"]:
                reason = UNCONFIRMED
            else:
                reason = UNFILLED if (p, now_ms) in entries["placed"] else NO_ORDER
            refusals[reason].append((pair, now_ms - market.step_ms))
    return refusals


class _Account:
    """
    Knows which positions were open when FreqTrade came to a pair in a candle: open positions leave first, then pairs
    enter in turn.
    """

    def __init__(self, deals: tuple[TradeView, ...], strategy: Strategy, market: Market) -> None:
        n = len(market.open_ms)
        self.held: NDArray[np.bool_] = np.zeros((len(market.pairs), n), dtype=np.bool_)
        self.opened: set[tuple[int, int]] = set()
        self._at: dict[int, list[tuple[int, int]]] = defaultdict(list)
        steps = np.zeros(n + 2, dtype=np.int64)
        for deal in deals:
            p = market.pairs.index(deal.pair)
            first, end = ((ms - int(market.open_ms[0])) // market.step_ms for ms in (deal.opened_ms, deal.closed_ms))
            if deal.exit_reason == EXIT_REASONS["forced"]:
                end = n  # the end of its pair closes it on paper, after the last candle of all pairs
            self.held[p, first : end + 1] = True
            self.opened.add((p, first))
            self._at[first].append((strategy.pairs.index(deal.pair), end))
            if end > first:
                steps[first + 1] += 1
                steps[end] -= 1
        self._through = np.cumsum(steps)  # positions that are open before and after a candle

    def positions(self, column: int, rank: int) -> int:
        """Returns the number of positions when the pair with this place in the basket has its turn."""
        return int(self._through[column]) + sum(other < rank and end > column for other, end in self._at[column])


def _asked(events: Events | None) -> dict[str, set[tuple[int, int]]]:
    """Returns (pair, time) of entries that the strategy refused, and of orders that were placed."""
    entries: dict[str, set[tuple[int, int]]] = {"unconfirmed": set(), "placed": set()}
    if events is None:
        return entries
    refusals: tuple[float | str, ...] = ("False", "None")
    for k in np.flatnonzero(events.name == NAMES.index("confirm_trade_entry")).tolist():
        if not events.answer(k) or events.answer(k) in refusals:
            entries["unconfirmed"].add((int(events.pair[k]), int(events.time_ms[k])))
    placed = np.flatnonzero(events.name == NAMES.index("entry price"))
    entries["placed"] = {(int(events.pair[k]), int(events.time_ms[k])) for k in placed}
    return entries


def _locks(events: Events | None, step_ms: int) -> dict[int, list[tuple[int, int]]]:
    """
    Returns the first and last instant of each lock by pair, -1 for all of them. A lock holds to the end of the candle
    that its time lies in.
    """
    locks: dict[int, list[tuple[int, int]]] = defaultdict(list)
    if events is None:
        return locks
    for k in np.flatnonzero(events.name == NAMES.index("lock_pair")).tolist():
        until = events.answer(k)
        if isinstance(until, float) and np.isfinite(until):
            locks[int(events.pair[k])].append((int(events.time_ms[k]), int(until * 1000 // step_ms + 1) * step_ms))
    return locks
