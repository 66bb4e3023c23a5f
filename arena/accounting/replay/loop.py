"""
Runs the account over a course, compiled: cash, slots and the order of pairs, from one entry or exit to the next.

Arguments are the records of `simulator` and the arrays of its Room; `sums` is the row of TOTALS. Nothing happens
between two such candles.
"""

import math
from typing import NamedTuple

import numpy as np

from arena.accounting.replay.decimals import (
    EXACT,
    certain,
    low_part,
    on_grid,
    product,
    round8,
    round_half_up,
    round_up,
    steps_below,
)
from arena.accounting.replay.exits import ENTER, FORCED, PRICE_SCALE, Holding, Path, find_exit, value_at
from arena.startup.compiled import inlined, kept

FINE, UNKNOWN_SIZE, LEFT_OPEN, LARGE, OFF_GRID, DOUBT, FULL = range(7)
"""FINE, and what can go wrong in a run."""
_NEVER = 1 << 60


class Limits(NamedTuple):
    """An exchange's limits for a pair. nan: it sets none."""

    step: float
    min_cost: float
    max_cost: float
    min_amount: float
    max_amount: float


@kept
def run(course, account, rules, rows, pending, totals):
    """
    Fill `rows` with trades in the order of their closes and `totals` with the rest. After trouble the trades are
    invalid.

    For each pair we keep the candle of its next event: its exit while it holds a trade, else its next entry signal.
    Within a candle, pairs that held a trade before it come first, in the order of their opening, then the others in the
    whitelist's order.
    """
    n_pairs, flags, opens, closes = len(course.first), course.flags, course.open, course.close
    highs, lows, tick, month = course.high, course.low, course.tick, course.month
    ends = np.minimum(course.end, len(month) - 1)  # no entry in the last candle of all
    event = np.empty(n_pairs, np.int64)
    held = np.empty(n_pairs, np.int64)  # pairs with an open trade, in the order of their opening
    sums = totals[0]
    sums.balance, sums.profit, sums.trouble = account.wallet, 0.0, FINE
    sums.trades, sums.fills, sums.held, sums.rejected, sums.unfilled, sums.pair, sums.candle = 0, 0, 0, 0, 0, -1, -1
    for pair in range(n_pairs):
        event[pair] = _next_entry(flags, pair, course.first[pair], ends[pair])
    while n_pairs and event.min() != _NEVER:
        candle = event.min()
        k = 0
        while k < sums.held:
            pair = held[k]
            if event[pair] == candle:
                _close(rows, pending[pair], sums)
                _release(held, k, sums)
                event[pair] = _next_entry(flags, pair, candle + 1, ends[pair])  # not in the candle of its exit
            else:
                k += 1
        for pair in range(n_pairs):
            if event[pair] != candle:
                continue
            event[pair] = _next_entry(flags, pair, candle + 1, ends[pair])
            if sums.held >= account.slots:
                sums.rejected += 1
                continue
            scale = _scale(course.scale, pair, candle) if rules.sized else 1.0
            limits = Limits(
                course.step[pair],
                course.min_cost[pair],
                course.max_cost[pair],
                course.min_amount[pair],
                course.max_amount[pair],
            )
            tied = _tied(held, pending, sums, account.compensated)
            amount = _amount(account, limits, opens[pair, candle], tied, scale, rules.sized, rules.clamp, sums)
            if amount > 0.0 and sums.trouble == FINE:
                end = course.end[pair]
                path = Path(
                    opens[pair, :end], highs[pair, :end], lows[pair, :end], closes[pair, :end], flags[pair, :end]
                )
                trade = pending[pair]
                trade.pair, trade.opened, trade.amount = pair, candle, amount
                _trade(path, account, rules, trade, limits.step, tick[pair, month[candle]], sums)
                if sums.trades + sums.held >= len(rows):
                    sums.trouble = FULL
            if sums.trouble != FINE:
                sums.pair, sums.candle = pair, candle
                return
            if amount > 0.0:
                _enter(event, held, rows, trade, sums)
    _force_out(course.first, rows, pending, held, sums)
    sums.balance = account.wallet + sums.profit


@inlined
def _next_entry(flags, pair, candle, end):
    """The first candle from `candle` on with an entry signal."""
    for k in range(candle, end):
        if flags[pair, k] & ENTER:
            return k
    return _NEVER


@inlined
def _enter(event, held, rows, trade, sums):
    """
    Record the trade's entry as the next fill. The trade closes in its first candle, or its pair waits for the exit.
    """
    trade.entered = sums.fills
    sums.fills += 1
    if trade.reason != FORCED and trade.closed == trade.opened:
        _close(rows, trade, sums)
        return
    held[sums.held] = trade.pair
    sums.held += 1
    event[trade.pair] = _NEVER if trade.reason == FORCED else trade.closed


@inlined
def _close(rows, trade, sums):
    """Record the trade as the next row and its exit as the next fill; its profit is in the wallet from now on."""
    trade.left = sums.fills
    rows[sums.trades] = trade
    sums.trades += 1
    sums.fills += 1
    sums.profit += trade.profit


@inlined
def _release(held, k, sums):
    sums.held -= 1
    for later in range(k, sums.held):
        held[later] = held[later + 1]


@inlined
def _force_out(first, rows, pending, held, sums):
    """Close all open trades, in the order of the pairs' first candles, then of the whitelist."""
    while sums.held:
        best = 0
        for k in range(1, sums.held):
            if (first[held[k]], held[k]) < (first[held[best]], held[best]):
                best = k
        _close(rows, pending[held[best]], sums)
        _release(held, best, sums)


@inlined
def _tied(held, pending, sums, compensated):
    """Sum of the stakes of open trades in the order of their opening, as Python's sum() adds floats."""
    total, lost = 0.0, 0.0
    for k in range(sums.held):
        stake = pending[held[k]].stake
        added = total + stake
        lost += (total - added) + stake if math.fabs(total) >= math.fabs(stake) else (stake - added) + total
        total = added
    return total + lost if compensated else total


@inlined
def _scale(scale, pair, candle):
    return scale[pair, candle] if scale.size > 1 else scale[0, 0]


@inlined
def _amount(account, limits, price, tied, scale, sized, clamp, sums):
    """Amount of an entry at `price`; 0 where FreqTrade opens no trade."""
    free = account.wallet + sums.profit - tied
    available = min((tied + free) * account.ratio - tied, free)
    stake = account.stake
    if math.isnan(stake):
        stake = min((available + tied) / account.slots, available)
    if available < stake:
        return 0.0
    stake = max(stake, 0.0)
    smallest, largest = _stake_limits(account, limits, price)
    if sized:
        if math.isnan(scale):
            sums.trouble = UNKNOWN_SIZE
            return 0.0
        stake *= scale
        if clamp:
            stake = max(smallest, min(stake, min(available, largest)))
    largest = min(largest, available)
    if not stake > 0.0 or smallest > largest:
        return 0.0
    if stake < smallest:
        if stake * 1.3 < smallest:  # FreqTrade raises a stake by 30 % at most
            return 0.0
        stake = smallest
    steps = steps_below(min(stake, largest) / price, limits.step)
    if not steps < EXACT:
        sums.trouble = LARGE
    return steps / limits.step


@inlined
def _stake_limits(account, limits, price):
    """Smallest and largest stake; 0 and inf where the exchange sets none."""
    smallest, largest = 0.0, math.inf
    if not math.isnan(limits.min_cost):
        smallest = limits.min_cost * account.cost_reserve
    if not math.isnan(limits.min_amount):
        smallest = max(smallest, limits.min_amount * price * account.amount_reserve)
    if not math.isnan(limits.max_cost):
        largest = limits.max_cost
    if not math.isnan(limits.max_amount):
        largest = min(largest, limits.max_amount * price)
    return smallest, largest


@inlined
def _trade(path, account, rules, trade, step, tick, sums):
    """Fill the trade from its entry to its exit and profit. The entry fills at the open itself, whatever the tick."""
    amount, price = trade.amount, path.open[trade.opened]
    rate = round_half_up(price, tick)
    amount_low, price_low = low_part(amount, step), low_part(price, PRICE_SCALE)
    paid_high, paid_low = product(amount, amount_low, account.paid_high, account.paid_low)
    kept_high, kept_low = product(amount, amount_low, account.kept_high, account.kept_low)
    stake, stake_low = product(amount, amount_low, price, price_low)
    paid, paid_rest = product(paid_high, paid_low, price, price_low)
    cost, cost_low = product(paid_high, paid_low, rate, low_part(rate, PRICE_SCALE))
    trade.entry_price, trade.open_rate, trade.stake = price, rate, stake
    trade.initial_stop = round_up(rate * (1.0 - math.fabs(rules.stoploss)), tick)
    sums.unfilled += find_exit(path, rules, trade, Holding(tick, cost, kept_high, kept_low, kept_high / cost))
    value, value_low = value_at(kept_high, kept_low, trade.close_rate)
    trade.profit = round8(value - paid)
    trade.profit_ratio = trade.profit / paid
    sure = certain(stake, stake_low) and certain(paid, paid_rest) and certain(cost, cost_low)
    if trade.reason == FORCED and not path.low[trade.closed] <= trade.close_rate <= path.high[trade.closed]:
        sums.trouble = LEFT_OPEN
    elif not on_grid(trade.close_rate, PRICE_SCALE):
        sums.trouble = OFF_GRID
    elif not (sure and certain(kept_high, kept_low) and certain(value, value_low)):
        sums.trouble = DOUBT
