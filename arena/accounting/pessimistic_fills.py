"""
Measures how much of a profit comes from wishful fills. Pure: takes booked orders and candles, returns one share.

A backtest sees a candle's four prices and not their order. A pessimist refuses every fill that assumes the favourable
order, keeps every trade's amounts, and computes the profit again. This is no lower bound: the open at which he sells
can be the better price.

Not judged: whether the amounts would have found a counterparty, and how far such an order moves the price.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.accounting.booking import FLAT
from arena.records import ORDER_KINDS, Book, Market, Orders

TIE = 1e-9
"""Prices that differ by less than this fraction are the same; only the rounding of decimals differs."""
STOP, TRAILING = ORDER_KINDS.index("stop"), ORDER_KINDS.index("trailing")


def optimistic_fills(
    market: Market, orders: Orders, book: Book, *, fee: float, late: frozenset[str] = frozenset()
) -> float:
    """
    The share of the profit that vanishes when no wishful fill is granted.

    Four kinds of fill are not granted:

    * an exit in the candle in which its trade's first entry filled, unless by a stop that was set before the candle;
    * a limit without trade-through: a buy below the open at the candle's low, a sell above the open at its high;
    * an exit by a stop that the same candle has raised: the high may have come after the low;
    * an exit of a kind in `late`, which the strategy decided with the candle's high and low before it.

    An exit that is not granted sells at the next candle's open or, without one, at the price that values a position at
    the end: the pair's last close, the market's last open. An entry that is not granted is left out, and the exits
    after it sell the same fraction of what is left; without the first entry the whole trade is left out.

    Parameters
    ----------
    market : Market
    orders : Orders
        The booked orders. A stop exit whose `stop_before` is nan counts as unraised, except for a trailing stop in the
        candle of the entry, which is not granted.
    book : Book
        The same orders, booked. The result is a share of its profit, open positions included.
    fee : float
        Fraction of an order's value, paid at entry and at exit.
    late : frozenset of str
        Names of ORDER_KINDS.

    Returns
    -------
    float
        0.0 when the pessimist loses nothing, and when there is no profit. Above 1 when he ends with a loss. Amounts
        stay unchanged: his losses do not shrink later trades.
    """
    booked = sum(trade.profit for trade in book.trades) + book.open_profit
    if booked <= 0:
        return 0.0
    doubts = _doubt(market, orders, late)
    columns = (
        orders.pair,
        doubts.candle,
        orders.buys,
        orders.price,
        orders.amount,
        doubts.always,
        doubts.at_entry,
        doubts.later,
    )
    positions = [_Position(fee) for _ in market.pairs]
    for pair, *order in zip(*(column.tolist() for column in columns), strict=True):
        positions[pair].post(*order)
    lost = sum(
        position.lost + position.missing(float(mark)) for position, mark in zip(positions, _marks(market), strict=True)
    )
    return max(float(lost / booked), 0.0)


@dataclass(frozen=True, slots=True)
class _Doubts:
    """Doubts about each order, from the candles. All arrays have shape (n_orders,)."""

    candle: NDArray[np.int64]
    always: NDArray[np.bool_]  # not granted
    at_entry: NDArray[np.bool_]  # not granted in the candle of its trade's first entry
    later: NDArray[np.float64]  # price at the next candle's open


def _doubt(market: Market, orders: Orders, late: frozenset[str]) -> _Doubts:
    candle = (orders.filled_ms - market.open_ms[0]) // market.step_ms
    opens, highs, lows = (prices[orders.pair, candle] for prices in (market.open, market.high, market.low))
    price, buys = orders.price, orders.buys
    by_stop = (orders.kind == STOP) | (orders.kind == TRAILING)
    raised = by_stop & (price > orders.stop_before * (1 + TIE))
    # raised stops are refused anyway
    stood = (orders.kind == STOP) | ((orders.kind == TRAILING) & ~np.isnan(orders.stop_before))
    touched_low = buys & (price < opens * (1 - TIE)) & ~(lows < price * (1 - TIE))
    touched_high = ~buys & (price > opens * (1 + TIE)) & ~(highs > price * (1 + TIE))
    decided_late = ~buys & np.isin(orders.kind, [ORDER_KINDS.index(kind) for kind in late])
    return _Doubts(
        candle,
        touched_low | touched_high | (~buys & raised) | decided_late,
        ~buys & ~stood,
        _next_open(market, orders.pair, candle),
    )


def _next_open(market: Market, pair: NDArray[np.int64], candle: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n_orders,) the next candle's open; the close in a pair's last candle, the open in the market's last candle."""
    following = market.open[pair, np.minimum(candle + 1, len(market.open_ms) - 1)]
    return np.where(np.isnan(following), market.close[pair, candle], following)


def _marks(market: Market) -> NDArray[np.float64]:
    """
    (n_pairs,) value of a unit at the end, as in the book: the last open, or the last close of a pair that ended
    earlier.
    """
    n = len(market.open_ms)
    last = n - 1 - np.argmax(~np.isnan(market.close[:, ::-1]), axis=1)
    pair = np.arange(len(market.pairs))
    return np.where(last == n - 1, market.open[:, -1], market.close[pair, last])


class _Position:
    """One pair's position in two versions: as booked, and the pessimist's. `lost` is the difference in money."""

    def __init__(self, fee: float) -> None:
        self.fee = fee
        self.held = self.kept = self.largest = self.lost = 0.0
        self.opened = -1  # candle of the trade's first entry
        self.granted = True  # whether that entry was granted

    def post(
        self, candle: int, buys: bool, price: float, amount: float, always: bool, at_entry: bool, later: float
    ) -> None:
        if buys:
            if self.held == 0.0:
                self.opened, self.granted = candle, not always
            self.held += amount
            self.largest = max(self.largest, self.held)
            if self.granted and not always:
                self.kept += amount
            else:
                self.lost -= price * amount * (1 + self.fee)
            return
        sold = amount * (self.kept / self.held)
        granted = not (always or (at_entry and candle == self.opened))
        self.lost += (price * amount - (price if granted else later) * sold) * (1 - self.fee)
        self.held, self.kept = max(self.held - amount, 0.0), max(self.kept - sold, 0.0)
        if self.held <= FLAT * self.largest:
            self.held = self.kept = self.largest = 0.0

    def missing(self, mark: float) -> float:
        """
        Value at the end of the units that the pessimist lacks. A pair without a candle has no such units and no mark.
        """
        return (self.held - self.kept) * mark if self.held > self.kept else 0.0
