"""
Sharpe ratios over the search range for the same strategy under harder terms, and for its signals at other times. Pure.

If signals and parameters describe a strategy, with its shares of the proposed stake if it has some, it is replayed
under each of the terms, with its money: a higher fee leaves less to stake. For other strategies the booked orders are
counted again, with their amounts; what would need new decisions (other slots, another start, shifted signals) is
reported as missing.

Not covered: signals of one pair that follow from another pair's candles stay as they are when that pair is left out. In
candles where FreqTrade's own run did not enter, shares are only the worker's claim.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.accounting import equity_curve
from arena.accounting.booking import FLAT, last_known
from arena.accounting.replay.inputs import ReplaySpec, account_of
from arena.accounting.replay.simulator import ENTER, ReplayError, ReplayInput, Room, replay_into
from arena.records import Market, Orders, Stress
from arena.settings import Settings
from arena.stats.metrics import DAY_MS, midnights

SHIFTS, ENOUGH = 1000, 20
"""
Most copies of the signals, shifted in time; and how many copies that do as well are enough to know the share to about a
quarter of itself (Besag and Clifford 1991, Sequential Monte Carlo p-values, Biometrika 78(2), 301-304).
"""
LEAST_DAYS = 7
"""Fewest days by which a copy is shifted, either way."""
STARTS = 12
"""Number of later starts, evenly spread over the first half of the range."""
BEST = 5
"""Number of best trades left out."""


def of(
    market: Market, settings: Settings, orders: Orders, described: ReplaySpec | None, rng: np.random.Generator
) -> Stress:
    """
    Parameters
    ----------
    market : Market
        Of the search range.
    settings : Settings
    orders : Orders
        Those that were booked.
    described : Described or None
        What a replay needs, in this market; None if there is no replay.
    rng : numpy Generator
        Draws the shifts.
    """
    return (
        _Orders(market, settings, orders).stress()
        if described is None
        else _Replays(market, settings, described).stress(rng)
    )


class _Replays:
    """Replays of one strategy that write into the same Room."""

    def __init__(self, market: Market, settings: Settings, made: ReplaySpec) -> None:
        self.settings, self.made, self.step_ms = settings, made, market.step_ms
        self.marks, self.days = last_known(market.open, market.close), midnights(market.open_ms)
        self.room = Room.of(made.course)

    def stress(self, rng: np.random.Generator) -> Stress:
        base, account = self.made.course, self.made.account
        slots, limited = account.slots, np.isfinite(account.slots)
        listed = np.flatnonzero(base.end > base.first)
        starts = np.arange(1, STARTS + 1) * base.flags.shape[1] // (2 * STARTS)
        return Stress(
            fee_x2=self.sharpe(fee=2 * account.fee),
            fee_x3=self.sharpe(fee=3 * account.fee),
            late_1=self.sharpe(course=_later(base)),
            without_top5=self.sharpe(without=BEST),
            worst_pair_out=_worst(
                [self.sharpe(course=_without(base, int(p))) for p in listed] if len(listed) > 1 else []
            ),
            worst_start=_worst(
                [
                    self.sharpe(course=base._replace(first=np.clip(base.first, start, base.end)), since=int(start))
                    for start in starts
                ]
            ),
            slot_less=self.sharpe(slots=slots - 1) if limited and slots > 1 else np.nan,
            slot_more=self.sharpe(slots=slots + 1) if limited else np.nan,
            timing_p=self.timing(rng),
        )

    def sharpe(
        self,
        *,
        course: ReplayInput | None = None,
        fee: float | None = None,
        slots: float | None = None,
        without: int = 0,
        since: int = 0,
    ) -> float:
        """Returns the Sharpe of one replay from column `since` on; nan if FreqTrade would trade otherwise."""
        account = self.made.account if fee is None else account_of(self.settings, fee)
        account = account if slots is None else account._replace(slots=slots)
        try:
            n = replay_into(course or self.made.course, account, self.made.rules, self.room)
        except ReplayError:
            return float("nan")
        rows = self.room.rows
        if without:
            kept = np.sort(np.argsort(-rows["profit"][:n], kind="stable")[without:])
            rows, n = rows[kept], len(kept)
        curve = equity_curve.of_trades(rows, n, account.fee, account.wallet, self.marks, self.days)
        return float(equity_curve.sharpe(curve[np.searchsorted(self.days, since) :]))

    def timing(self, rng: np.random.Generator) -> float:
        """
        Returns the share of runs with signals at other times, each with its stake, that do as well; nan if the range is
        too short or a stake is unknown, because a copy that nobody can compute is not worse.

        Draws copies until ENOUGH do as well, which gives the share, or until there are SHIFTS, counting the strategy
        itself.
        """
        whole = _signals(self.made.course)
        n, least = whole["flags"].shape[1], LEAST_DAYS * DAY_MS // self.step_ms
        own = self.sharpe()
        unknown = "scale" in whole and np.isnan(whole["scale"][whole["flags"] & ENTER != 0]).any()
        if n <= 2 * least or np.isnan(own) or unknown:
            return float("nan")
        moved = {name: np.empty_like(array) for name, array in whole.items()}
        shifted = self.made.course._replace(**moved)
        as_well = 0
        for n_copies, shift in enumerate(rng.integers(least, n - least + 1, size=SHIFTS), start=1):
            for name, array in whole.items():
                moved[name][:, :shift], moved[name][:, shift:] = array[:, n - shift :], array[:, : n - shift]
            as_well += self.sharpe(course=shifted) >= own
            if as_well == ENOUGH:
                return ENOUGH / n_copies
        return (1 + as_well) / (1 + SHIFTS)


class _Orders:
    """Booked orders, counted again."""

    def __init__(self, market: Market, settings: Settings, orders: Orders) -> None:
        self.market, self.settings, self.orders = market, settings, orders
        self.marks, self.days = last_known(market.open, market.close), midnights(market.open_ms)
        # the candle in which each order is booked
        self.column = np.maximum.accumulate((orders.filled_ms - market.open_ms[0]) // market.step_ms)
        self.units = np.where(orders.buys, orders.amount, -orders.amount)
        self.trade = _trades(orders)

    def stress(self) -> Stress:
        orders, fee = self.orders, self.settings.fee
        pairs = np.unique(orders.pair)
        profit = np.zeros(self.trade.max(initial=-1) + 1)
        value = self.units * orders.price
        np.add.at(profit, self.trade, -value - fee * np.abs(value))
        best = np.argsort(-profit, kind="stable")[:BEST]
        return Stress(
            fee_x2=self.sharpe(fee=2 * fee),
            fee_x3=self.sharpe(fee=3 * fee),
            late_1=self.sharpe(**self.later()),
            without_top5=self.sharpe(kept=~np.isin(self.trade, best)),
            worst_pair_out=_worst([self.sharpe(kept=orders.pair != p) for p in pairs] if len(pairs) > 1 else []),
            missing=("worst_start", "slot_less", "slot_more", "timing_p"),
        )

    def later(self) -> dict[str, NDArray]:
        """Returns orders at the next candle's open. Those of the last candle have none and stay."""
        last = len(self.market.open_ms) - 1
        column = np.minimum(self.column + 1, last)
        return {
            "column": column,
            "price": np.where(self.column < last, self.marks[self.orders.pair, column], self.orders.price),
        }

    def sharpe(self, **changes: Any) -> float:
        return float(equity_curve.sharpe(self.curve(**changes)))

    def curve(
        self,
        *,
        fee: float | None = None,
        column: NDArray[np.int64] | None = None,
        price: NDArray[np.float64] | None = None,
        kept: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Returns equity by day. Arguments that are not given stay as booked."""
        orders = self.orders
        kept = np.ones(len(orders.price), dtype=np.bool_) if kept is None else kept
        return equity_curve.of_orders(
            orders.pair[kept],
            (self.column if column is None else column)[kept],
            self.units[kept],
            (orders.price if price is None else price)[kept],
            fee=self.settings.fee if fee is None else fee,
            wallet=self.settings.wallet,
            marks=self.marks,
            days=self.days,
        )


def _trades(orders: Orders) -> NDArray[np.int64]:
    """Returns (n_orders,) number of the trade that each order belongs to: from flat to flat in its pair."""
    number, held, largest, current = np.empty(len(orders.price), dtype=np.int64), {}, {}, {}
    n = 0
    for k, (pair, buys, amount) in enumerate(
        zip(orders.pair.tolist(), orders.buys.tolist(), orders.amount.tolist(), strict=True)
    ):
        if pair not in current:
            current[pair], held[pair], largest[pair] = n, 0.0, 0.0
            n += 1
        number[k] = current[pair]
        held[pair] += amount if buys else -amount
        largest[pair] = max(largest[pair], held[pair])
        if held[pair] <= FLAT * largest[pair]:
            del current[pair]
    return number


def _signals(course: ReplayInput) -> dict[str, NDArray]:
    """
    Returns what moves when signals move, by field: flags, and the scale of each stake if there is one. (n_pairs,
    n_candles)
    """
    return {name: array for name in ("flags", "scale") if (array := getattr(course, name)).shape == course.open.shape}


def _later(base: ReplayInput) -> ReplayInput:
    """Returns signals, with their stakes, that act one candle later; a pair's first candle has none."""
    moved = {name: np.zeros_like(array) for name, array in _signals(base).items()}
    for name, array in moved.items():
        for p, (first, end) in enumerate(zip(base.first, base.end, strict=True)):
            array[p, first + 1 : end] = getattr(base, name)[p, first : end - 1] if end > first else 0
    return base._replace(**moved)


def _without(base: ReplayInput, pair: int) -> ReplayInput:
    first, end = base.first.copy(), base.end.copy()
    end[pair] = first[pair]
    return base._replace(first=first, end=end)


def _worst(sharpes: list[float]) -> float:
    defined = [value for value in sharpes if not np.isnan(value)]
    return min(defined, default=float("nan"))
