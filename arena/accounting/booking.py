"""
Orders x candles -> wallet, marked to market. Pure: takes a worker's claimed orders, returns the account's value.

The wallet holds cash and units. An entry pays price x amount x (1 + fee), an exit gets price x amount x (1 - fee). We
check each order against the arena's own candles before we book it; the first impossible order raises an error that
names it.

Not judged: whether an order was decided with knowledge of the future, and whether a fill inside a candle is wishful.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arena.decisions import NAMES
from arena.errors import BookingError, when
from arena.records import Book, Claim, Market, Orders, Trade

FLAT = 1e-9
"""A position below this fraction of its largest size counts as flat: the rest is rounding of sums of decimals."""
PROFIT_TOLERANCE = 1e-6
"""Largest relative difference between the booked profit and FreqTrade's."""
ROUNDING = 1e-8
"""FreqTrade rounds each trade's profit to eight decimals; this tolerance applies once per order."""


def book(market: Market, orders: Orders, *, wallet: float, fee: float, slots: int) -> Book:
    """
    Book filled orders.

    Parameters
    ----------
    market : Market
        Candles of the whole booked range; the last candle's open is the last instant.
    orders : Orders
        In the order of their fills.
    wallet : float
        Money at the first candle's open.
    fee : float
        Fraction of an order's value, paid at entry and at exit.
    slots : int
        Largest number of open positions; 0 or less means no limit.

    Raises
    ------
    BookingError
        An order that this market could not have filled or this wallet could not have paid, by number, pair and time.
    """
    ledger = _Ledger(market, wallet, fee, slots)
    for number, row in enumerate(
        zip(orders.pair, orders.filled_ms, orders.buys, orders.price, orders.amount, strict=True)
    ):
        ledger.post(number, *(value.item() for value in row))
    return ledger.close()


def reconcile(book: Book, claim: Claim) -> None:
    """
    Compare the booked profit of closed trades with FreqTrade's own. Raises BookingError when they differ by more than
    PROFIT_TOLERANCE relative plus FreqTrade's rounding: one of them is wrong, so the figure cannot be believed. Also
    raises it for an order that was filled and never placed: the checks compare placed orders between worlds, and fills
    must follow from them.
    """
    _check_placed(claim)
    booked = sum(trade.profit for trade in book.trades)
    allowed = PROFIT_TOLERANCE * abs(booked) + ROUNDING * len(claim.orders.price)
    if not abs(booked - claim.profit) <= allowed or len(book.trades) != claim.trades:
        raise BookingError(
            f"booking: {len(book.trades)} trades with a profit of {booked:.6f} follow from the orders, "
            f"FreqTrade reports {claim.trades} with {claim.profit:.6f}"
        )


def _check_placed(claim: Claim) -> None:
    events, orders = claim.decisions.events, claim.orders
    if events is None:
        return
    filled = np.flatnonzero(events.name == NAMES.index("filled"))
    if not (np.array_equal(events.pair[filled], orders.pair) and np.array_equal(events.value[filled], orders.price)):
        raise BookingError(
            f"booking: {len(orders.price)} orders are reported, {len(filled)} were seen to fill, and they are not the "
            f"same"
        )
    placed: Counter[tuple[int, str, float, float]] = Counter()
    for side in ("entry", "exit"):
        price, amount = (np.flatnonzero(events.name == NAMES.index(f"{side} {what}")) for what in ("price", "amount"))
        for i, j in zip(price, amount, strict=False):
            placed[int(events.pair[i]), side, float(events.value[i]), float(events.value[j])] += 1
    for number, row in enumerate(
        zip(orders.pair, orders.buys, orders.price, orders.amount, orders.filled_ms, strict=True)
    ):
        pair, buys, price, amount, filled_ms = (value.item() for value in row)
        key = (pair, "entry" if buys else "exit", price, amount)
        if not placed[key]:
            raise BookingError(
                f"booking: order {number} at {when(filled_ms)}, {amount:.10g} for {price:.10g}, was filled and never "
                f"placed"
            )
        placed[key] -= 1


class _Ledger:
    """The wallet while orders are posted. Cash and units change with each order; `close` fills in the curves."""

    def __init__(self, market: Market, wallet: float, fee: float, slots: int) -> None:
        n_pairs = len(market.pairs)
        self.market, self.wallet, self.fee, self.slots = market, wallet, fee, slots
        self.cash = wallet
        self.units = [0.0] * n_pairs
        self.largest = [0.0] * n_pairs  # of the open position
        self.cost = [0.0] * n_pairs  # money paid for the units held, without fees
        self.flow = [0.0] * n_pairs  # money in and out of the pair since the start
        self.opened: list[tuple[int, float] | None] = [None] * n_pairs  # candle and flow at the position's start
        self.staked = [0.0] * n_pairs
        self.numbers: list[list[int]] = [[] for _ in range(n_pairs)]  # orders of the open position
        self.last = 0  # candle in which the latest order is booked
        self.trades: list[Trade] = []
        self.cash_steps: list[tuple[int, float]] = []
        self.unit_steps: list[list[tuple[int, float]]] = [[] for _ in range(n_pairs)]
        self.flow_steps: list[list[tuple[int, float]]] = [[] for _ in range(n_pairs)]
        self.traded = np.zeros(len(market.open_ms))

    def post(self, number: int, pair: int, filled_ms: int, buys: bool, price: float, amount: float) -> None:
        candle = self._candle(number, pair, filled_ms, buys, price, amount)
        self.last = max(self.last, candle)
        value = price * amount
        self.numbers[pair].append(number)
        if buys:
            self._enter(number, pair, candle, price, amount)
            self.cash -= value * (1 + self.fee)
            self.flow[pair] -= value * (1 + self.fee)
        else:
            self._check_units(number, pair, candle, price, amount)
            remaining = max(self.units[pair] - amount, 0.0)
            self.cost[pair] *= remaining / self.units[pair]
            self.units[pair] = remaining
            self.cash += value * (1 - self.fee)
            self.flow[pair] += value * (1 - self.fee)
            if remaining <= FLAT * self.largest[pair]:
                self._flatten(pair, candle)
        # FreqTrade's wallet pays the entry fee when a trade closes; until then the fee counts as free money
        free = self.cash + self.fee * sum(self.cost)
        if buys and free < -PROFIT_TOLERANCE * self.wallet:
            raise self._refuse(number, pair, candle, f"buys for {value:.2f}, the wallet had {free + value:.2f} free")
        self.traded[self.last] += value
        self.cash_steps.append((self.last, self.cash))
        self.unit_steps[pair].append((self.last, self.units[pair]))
        self.flow_steps[pair].append((self.last, self.flow[pair]))

    def _candle(self, number: int, pair: int, filled_ms: int, buys: bool, price: float, amount: float) -> int:
        """The order's candle, after the checks that need only the market."""
        market = self.market
        if not 0 <= pair < len(market.pairs):
            raise BookingError(f"booking: order {number} is for pair number {pair}, the arena has {len(market.pairs)}")
        candle, remainder = divmod(filled_ms - int(market.open_ms[0]), market.step_ms)
        if remainder or not 0 <= candle < len(market.open_ms):
            raise BookingError(
                f"booking: order {number} {market.pairs[pair]} fills at {when(filled_ms)}, outside the arena's candles"
            )
        low, high = float(market.low[pair, candle]), float(market.high[pair, candle])
        if not (np.isfinite(price) and np.isfinite(amount) and price > 0 and amount > 0):
            raise self._refuse(number, pair, candle, f"has price {price} and amount {amount}; both must be positive")
        if np.isnan(low):
            raise self._refuse(number, pair, candle, "fills where the pair has no candle")
        if not low <= price <= high:
            verb = "buys" if buys else "sells"
            raise self._refuse(
                number, pair, candle, f"{verb} at {price:.10g}, the candle traded {low:.10g}-{high:.10g}"
            )
        if candle < self.last and (buys or not self._closes_at_pairs_end(pair, candle)):
            raise self._refuse(
                number, pair, candle, f"fills before an earlier order's {when(int(market.open_ms[self.last]))}"
            )
        return int(candle)

    def _closes_at_pairs_end(self, pair: int, candle: int) -> bool:
        """
        At the end FreqTrade closes each open position at its pair's own last candle, after the last candle of all
        pairs. The order has that candle's time and price; the money comes at the end. Until then the position is worth
        its last close.
        """
        return candle + 1 == len(self.market.open_ms) or bool(np.isnan(self.market.open[pair, candle + 1 :]).all())

    def _enter(self, number: int, pair: int, candle: int, price: float, amount: float) -> None:
        if self.units[pair] == 0.0:
            open_positions = sum(units > 0 for units in self.units)
            if 0 < self.slots <= open_positions:
                raise self._refuse(number, pair, candle, f"opens position {open_positions + 1} of {self.slots} slots")
            self.opened[pair] = (candle, self.flow[pair])
            self.staked[pair] = 0.0
        self.units[pair] += amount
        self.cost[pair] += price * amount
        self.staked[pair] += price * amount
        self.largest[pair] = max(self.largest[pair], self.units[pair])

    def _check_units(self, number: int, pair: int, candle: int, price: float, amount: float) -> None:
        held = self.units[pair]
        if amount > held + FLAT * self.largest[pair] or held == 0.0:
            raise self._refuse(
                number, pair, candle, f"sells {amount:.10g} at {price:.10g}, the wallet held {held:.10g}"
            )

    def _flatten(self, pair: int, candle: int) -> None:
        opened = self.opened[pair]
        assert opened is not None, "a position that ends has begun"
        start, flow = opened
        times = self.market.open_ms
        self.trades.append(
            Trade(
                self.market.pairs[pair],
                int(times[start]),
                int(times[candle]),
                self.flow[pair] - flow,
                self.staked[pair],
                tuple(self.numbers[pair]),
            )
        )
        self.numbers[pair] = []
        self.units[pair] = self.cost[pair] = self.largest[pair] = 0.0
        self.opened[pair] = None

    def _refuse(self, number: int, pair: int, candle: int, what: str) -> BookingError:
        return BookingError(
            f"booking: order {number} {self.market.pairs[pair]} {when(int(self.market.open_ms[candle]))} {what}"
        )

    def close(self) -> Book:
        market, n = self.market, len(self.market.open_ms)
        cash = _filled(self.cash_steps, n, self.wallet)
        units = np.array([_filled(steps, n, 0.0) for steps in self.unit_steps])
        flows = np.array([_filled(steps, n, 0.0) for steps in self.flow_steps])
        # after its pair's last candle a position is worth that candle's close
        opens, closes = last_known(market.open, market.close), last_known(market.close, market.close)
        held_at_close = np.where(units > 0, units * closes, 0.0)
        before = np.concatenate([np.zeros((len(units), 1)), units[:, :-1]], axis=1)
        equity_open = np.concatenate([[self.wallet], cash[:-1]]) + np.where(before > 0, before * opens, 0.0).sum(axis=0)
        equity_close = cash + held_at_close.sum(axis=0)
        open_value = np.where(units[:, -1] > 0, units[:, -1] * opens[:, -1], 0.0)
        equity_open[-1] = cash[-1] + open_value.sum()
        pair_profit = flows + held_at_close
        pair_profit[:, -1] = flows[:, -1] + open_value
        return Book(
            equity_open=equity_open,
            equity_close=equity_close,
            invested=held_at_close.sum(axis=0) / equity_close,
            pair_profit=pair_profit,
            traded=self.traded,
            fees=self.traded * self.fee,
            trades=tuple(sorted(self.trades, key=lambda trade: (trade.close_ms, trade.open_ms))),
            open_profit=float(
                sum(
                    open_value[pair] + self.flow[pair] - start[1]
                    for pair, start in enumerate(self.opened)
                    if start is not None
                )
            ),
        )


def _filled(steps: Sequence[tuple[int, float]], n: int, start: float) -> NDArray[np.float64]:
    """(n,) the value after each candle's last step, `start` before the first. Steps ascend by candle."""
    values = np.full(n, np.nan)
    values[0] = start
    for candle, value in steps:
        values[candle] = value
    index = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(n)))
    return values[index]


def last_known(values: NDArray[np.float64], closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_pairs, n_candles) `values`, or the last close after a pair's last candle; nan before its first."""
    n = closes.shape[1]
    index = np.maximum.accumulate(np.where(np.isnan(closes), 0, np.arange(n)), axis=1)
    return np.where(np.isnan(values), np.take_along_axis(closes, index, axis=1), values)
