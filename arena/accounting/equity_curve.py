"""
Trades or orders -> equity at each day's start, for thousands of runs that need only a Sharpe ratio. Pure.

The account's value is computed as in `booking`, which checks what is reported: positions at the open before the
candle's orders, the last instant after all orders. This module checks nothing.
"""

import numpy as np
from numpy.typing import NDArray

from arena.startup.compiled import kept
from arena.stats.metrics import DAYS_A_YEAR

FORCED = 4
"""Index in replay.REASONS. Such an exit is booked at the last candle of all, wherever its pair ends."""


@kept
def of_trades(rows, n, fee, wallet, marks, days):
    """
    Equity at each of `days`, compiled.

    Parameters
    ----------
    rows : array of replay.TRADE, of which the first n count
    fee, wallet : float
        Fraction of an order's value; money before the first trade.
    marks : float array of shape (n_pairs, n_candles)
        Value of a unit at each candle's open: `booking.last_known`.
    days : int array of shape (n_days + 1,)
        Columns, ascending, as `metrics.midnights` gives them.

    Returns
    -------
    float array of shape (n_days + 1,)
    """
    size = len(days)
    equity, steps = np.zeros(size), np.zeros(size)
    for k in range(n):
        row = rows[k]
        spent = row.entry_price * row.amount * (1.0 + fee)
        first = np.searchsorted(days, row.opened, side="right")
        after = size - 1 if row.reason == FORCED else min(np.searchsorted(days, row.closed, side="right"), size - 1)
        for d in range(first, after):
            equity[d] += row.amount * marks[row.pair, days[d]] - spent
        steps[after] += row.close_rate * row.amount * (1.0 - fee) - spent
    banked = wallet
    for d in range(size):
        banked += steps[d]
        equity[d] += banked
    return equity


def of_orders(
    pair: NDArray[np.int64],
    column: NDArray[np.int64],
    units: NDArray[np.float64],
    price: NDArray[np.float64],
    *,
    fee: float,
    wallet: float,
    marks: NDArray[np.float64],
    days: NDArray[np.int64],
) -> NDArray[np.float64]:
    """
    (n_days + 1,) equity at each of `days`. `units` are negative for a sale; `column` is the candle at which an order
    counts. The other arguments as in `of_trades`.
    """
    value = units * price
    flow = -value - fee * np.abs(value)
    equity = np.full(len(days), wallet)
    for p in range(len(marks)):
        mine = np.flatnonzero(pair == p)
        mine = mine[np.argsort(column[mine], kind="stable")]
        before = np.searchsorted(column[mine], days, side="left")
        before[-1] = len(mine)  # the last instant is after the last order
        cash, held = (np.append(0.0, np.cumsum(values[mine]))[before] for values in (flow, units))
        equity += cash + np.where(before > 0, held * np.nan_to_num(marks[p, days]), 0.0)
    return equity


@kept
def sharpe(equity):
    """
    Annualised Sharpe ratio of an equity curve of shape (n_days + 1,), as `metrics.sharpe` of its returns; nan where the
    returns do not vary.
    """
    n = len(equity) - 1
    if n < 2:
        return np.nan
    returns = equity[1:] / equity[:-1] - 1.0
    mean = returns.mean()
    low, high, largest, squares = returns[0], returns[0], 0.0, 0.0
    for value in returns:
        low, high, largest = min(low, value), max(high, value), max(largest, abs(value))
        squares += (value - mean) ** 2
    if not high - low > 4 * 2.220446049250313e-16 * largest:
        return np.nan
    return mean / np.sqrt(squares / (n - 1)) * np.sqrt(DAYS_A_YEAR)
