"""
When and at what price a trade closes, compiled. For an open trade this depends only on its own pair's candles, so we
search for the exit from the entry on; `loop` handles the account.

Arguments are the records of `simulator`: a ReplayInput, Rules, and a trade as a row of TRADE.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.accounting.replay.decimals import low_part, product, round8, round_half_up, round_up
from arena.startup.compiled import inlined

ENTER, EXIT, ENTERING = 1, 2, 4
SIGNAL, STOP, ROI, TRAILING, FORCED = range(5)
PRICE_SCALE = 1e8
"""Prices have at most 8 decimals."""
NEAR = 1e-7
"""
A profit ratio this near to a limit is computed as in FreqTrade, with decimals and rounding; further away floats are
exact enough.
"""
_NONE = -1
_NEVER = 1 << 60


class Holding(NamedTuple):
    """The values from which an open trade's profit follows."""

    tick: float  # ticks per unit of price in the month of the entry; kept until the exit
    cost: float  # money paid at the rounded open rate, fee included
    kept_high: float  # amount times 1 - fee, as a pair
    kept_low: float
    growth: float  # value over cost at a price of 1


class Trail(NamedTuple):
    """How a stop follows the highs. Distances are positive fractions of a high."""

    distance: float  # of the stop-loss
    positive: float  # replaces `distance` where the profit is above `offset`; nan: never
    offset: float
    only: bool  # whether the stop stays unchanged while the profit is below `offset`


class Path(NamedTuple):
    """A pair's candles up to its last one, and the flags that act in them. Arrays have shape (n,)."""

    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    flags: NDArray[np.uint8]


class Candle(NamedTuple):
    open: float
    high: float
    low: float
    close: float


@inlined
def value_at(kept_high, kept_low, rate):
    """Money from an exit at `rate`, as a pair of floats: the exact product of the decimals."""
    return product(kept_high, kept_low, rate, low_part(rate, PRICE_SCALE))


@inlined
def profit_at(holding, rate, limit):
    """Profit ratio at `rate`, accurate enough for a comparison with `limit`. FreqTrade rounds it to 8 decimals."""
    ratio = rate * holding.growth - 1.0
    if math.fabs(ratio - limit) > NEAR * (1.0 + math.fabs(limit)):
        return ratio
    value, _ = value_at(holding.kept_high, holding.kept_low, rate)
    return round8(value / holding.cost - 1.0)


@inlined
def find_exit(path, rules, trade, holding):
    """
    Fill the trade's exit: closed, reason, close_rate, max_rate, min_rate, stop, stop_before. Returns how many exits
    timed out unfilled before. A trade without an exit gets the reason FORCED and its pair's last candle, at the open;
    the caller closes it.
    """
    opens, highs, lows, closes, flags = path.open, path.high, path.low, path.close, path.flags
    opened, end = trade.opened, len(opens)
    stop, moved, distance = trade.initial_stop, False, math.fabs(rules.stoploss)
    top = bottom = trade.open_rate
    before, unfilled = stop, 0
    rung, roi, minutes = -1, math.inf, 0
    next_rung = rules.roi_minutes[0] if len(rules.roi_minutes) else _NEVER
    trail = Trail(
        distance,
        math.fabs(rules.trailing_stop_positive),
        rules.trailing_stop_positive_offset,
        rules.trailing_only_offset_is_reached,
    )
    # no stop is above this share of a high
    reach = 1.0 - (distance if math.isnan(trail.positive) else min(distance, trail.positive))
    for k in range(opened, end):
        if minutes >= next_rung:
            while rung + 1 < len(rules.roi_minutes) and rules.roi_minutes[rung + 1] <= minutes:
                rung += 1
            roi = rules.roi_ratios[rung]
            next_rung = rules.roi_minutes[rung + 1] if rung + 1 < len(rules.roi_minutes) else _NEVER
        high, low, flag = highs[k], lows[k], flags[k]
        top, bottom, before = max(top, high), min(bottom, low), stop
        if rules.trailing_stop and stop < low and high * reach > stop:
            stop, distance, moved = _raised(trail, holding, high, stop, distance, moved)
        hit = stop >= low
        earned = high * holding.growth - 1.0 > roi - NEAR * (1.0 + math.fabs(roi)) and rung >= 0
        signal = rules.use_exit_signal and flag & EXIT != 0
        if hit or earned or signal:
            candle = Candle(opens[k], high, low, closes[k])
            ignored = rules.ignore_roi_if_entry_signal and flag & ENTERING != 0
            earned = earned and not ignored and profit_at(holding, high, roi) > roi
            if signal and rules.exit_profit_only:
                signal = profit_at(holding, candle.open, rules.exit_profit_offset) > rules.exit_profit_offset
            reason, rate = _decide(
                rules, holding, trade, candle, minutes, rung, signal, hit, earned, stop, moved, distance
            )
            if reason != _NONE:
                rate = round_half_up(rate, holding.tick)
                if low <= rate <= high:
                    trade.closed, trade.reason, trade.close_rate = k, reason, rate
                    break
                if k + 1 < end:
                    unfilled += 1
        minutes += rules.step_minutes
    else:
        trade.closed, trade.reason, trade.close_rate = end - 1, FORCED, round_half_up(opens[end - 1], holding.tick)
    trade.max_rate, trade.min_rate, trade.stop, trade.stop_before = top, bottom, stop, before
    return unfilled


@inlined
def _raised(trail, holding, high, stop, distance, moved):
    """The stop after a candle's high, its distance, and whether it has ever moved. A stop only rises."""
    share = trail.distance
    if trail.only or not math.isnan(trail.positive):
        profit = profit_at(holding, high, trail.offset)
        if trail.only and profit < trail.offset:
            return stop, distance, moved
        if not math.isnan(trail.positive) and profit > trail.offset:
            share = trail.positive
    raised = high * (1.0 - share)
    if raised > stop:  # the stop lies on the grid, so what is not above it is not after rounding up either
        raised = round_up(raised, holding.tick)
        if raised > stop:
            return raised, share, True
    return stop, distance, moved


@inlined
def _decide(rules, holding, trade, candle, minutes, rung, signal, hit, earned, stop, moved, distance):
    """Reason and unrounded rate of the first exit that gives an order: signal, stop, ROI, trailing stop."""
    if signal:
        return SIGNAL, candle.open
    if hit and not moved:
        return STOP, candle.open if stop > candle.high else stop
    if earned:
        rate = _roi_rate(rules, holding, trade, candle, minutes, rung)
        if not math.isnan(rate):
            return ROI, rate
    if hit:
        return TRAILING, _trailing_rate(rules, candle, minutes, stop, distance)
    return _NONE, math.nan


@inlined
def _roi_rate(rules, holding, trade, candle, minutes, rung):
    """The price that gives the ROI, or the open where the rung is new; nan: no order, in a falling first candle."""
    since, roi = rules.roi_minutes[rung], rules.roi_ratios[rung]
    aligned = since % rules.step_minutes == 0
    if roi == -1.0 and aligned:
        return candle.open
    rate = (1.0 + roi) * holding.cost / holding.kept_high
    if minutes > 0 and minutes == since and aligned and candle.open > rate:
        return candle.open
    if minutes == 0 and candle.open > candle.close and trade.open_rate < candle.open and rate > candle.close:
        return math.nan
    return min(max(rate, candle.low), candle.high)


@inlined
def _trailing_rate(rules, candle, minutes, stop, distance):
    """
    Rate of a stop that has moved. In the entry candle FreqTrade assumes that it moved just far enough to be armed, and
    was then hit.
    """
    if stop > candle.high:
        return candle.open
    if minutes > 0:
        return stop
    positive = rules.trailing_stop_positive
    if rules.trailing_only_offset_is_reached and not math.isnan(positive) and positive != 0.0:
        rate = candle.open * (1.0 + math.fabs(rules.trailing_stop_positive_offset) - math.fabs(positive))
    else:
        rate = candle.open * (1.0 - distance)
    return max(candle.low, rate)
