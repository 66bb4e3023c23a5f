"""
Finds, before a replay starts, what it cannot represent or FreqTrade would not run, and describes it in a sentence.

Course, account and rules are the records of `simulator`, which imports this module.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.accounting.replay.decimals import EXACT, fraction, parts
from arena.accounting.replay.exits import ENTER, ENTERING, EXIT, PRICE_SCALE

LONGEST_MINUTES = 1 << 40
"""Longest candle, run or ROI rung: no sum of them exceeds int64."""
_TYPES = {"u1": "uint8", "i8": "int64", "f8": "float64"}


def refusal(course: Any, account: Any, rules: Any) -> str | None:
    """The first reason, or None. Values of arrays are read only when shapes and types are right."""
    for reasons in (
        _shapes(course, rules),
        _account(account),
        _rules(rules),
        _signals(course),
        _markets(course, rules),
        _prices(course),
    ):
        if (reason := next(reasons, None)) is not None:
            return reason
    return None


def _shapes(course: Any, rules: Any) -> Iterator[str]:
    if getattr(course.open, "ndim", 0) != 2 or getattr(course.tick, "ndim", 0) != 2:
        yield "open and tick must have two dimensions"
        return
    (n_pairs, n_candles), n_months, n_roi = course.open.shape, course.tick.shape[1], len(rules.roi_minutes)
    table, by_pair = (n_pairs, n_candles), (n_pairs,)
    expected = dict.fromkeys(("open", "high", "low", "close"), ("f8", [table])) | {
        "flags": ("u1", [table]), "first": ("i8", [by_pair]), "end": ("i8", [by_pair]),
        "tick": ("f8", [(n_pairs, n_months)]), "month": ("i8", [(n_candles,)]), "scale": ("f8", [table, (1, 1)]),
        **dict.fromkeys(("step", "min_cost", "max_cost", "min_amount", "max_amount"), ("f8", [by_pair])),
    }  # fmt: skip
    arrays = [(f"course.{name}", getattr(course, name), *expected[name]) for name in course._fields]
    arrays += [
        ("rules.roi_minutes", rules.roi_minutes, "i8", [(n_roi,)]),
        ("rules.roi_ratios", rules.roi_ratios, "f8", [(n_roi,)]),
    ]
    for name, array, kind, shapes in arrays:
        if not isinstance(array, np.ndarray) or array.dtype != np.dtype(kind) or not array.flags.c_contiguous:
            yield f"{name} must be a C-contiguous array of {_TYPES[kind]}"
        elif array.shape not in shapes:
            yield f"{name} has the shape {array.shape}, not {' or '.join(map(str, shapes))}"
    if n_candles and not n_months:
        yield "course.tick has no month"


def _account(account: Any) -> Iterator[str]:
    yield from _plain(account, {"compensated": bool}, may_be_nan=("stake",), may_be_infinite=("slots",))
    if not account.wallet > 0:
        yield f"wallet is {account.wallet}; it must be positive"
    if not 0 < account.ratio <= 1:
        yield f"ratio is {account.ratio}; it must lie in (0, 1]"
    if account.stake <= 0:
        yield f"stake is {account.stake}; it must be positive, or nan for unlimited"
    if not account.slots >= 1 or not (math.isinf(account.slots) or account.slots.is_integer()):
        yield f"slots is {account.slots}; it must be a whole number from 1 on, or inf"
    if math.isinf(account.slots) and math.isnan(account.stake):
        yield "an unlimited stake needs a limit of slots: FreqTrade refuses both"
    if not 0 <= account.fee < 1:
        yield f"fee is {account.fee}; it must lie in [0, 1)"
    elif (account.paid_high, account.paid_low, account.kept_high, account.kept_low) != (
        *parts(1 + fraction(account.fee)),
        *parts(1 - fraction(account.fee)),
    ):
        yield "the parts of 1 + fee and 1 - fee are not those of the fee; make an Account by account()"
    if not (account.cost_reserve >= 1 and account.amount_reserve >= 1):
        yield "reserves must be 1 or more"


def _rules(rules: Any) -> Iterator[str]:
    switches = (
        "trailing_stop", "trailing_only_offset_is_reached", "use_exit_signal", "exit_profit_only",
        "ignore_roi_if_entry_signal", "sized", "clamp",
    )  # fmt: skip
    kinds = dict.fromkeys(switches, bool) | {"step_minutes": int, "roi_minutes": np.ndarray, "roi_ratios": np.ndarray}
    yield from _plain(rules, kinds, may_be_nan=("trailing_stop_positive",))
    if not -1 < rules.stoploss < 0:
        yield f"stoploss is {rules.stoploss}; it must lie in (-1, 0)"
    if not 1 <= rules.step_minutes < LONGEST_MINUTES:
        yield f"step_minutes is {rules.step_minutes}; it must be 1 or more"
    if len(rules.roi_minutes) and not (rules.roi_minutes[0] >= 0 and (np.diff(rules.roi_minutes) > 0).all()):
        yield "roi_minutes must ascend from 0 or more"
    if (rules.roi_minutes >= LONGEST_MINUTES).any() or not np.isfinite(rules.roi_ratios).all():
        yield "roi_minutes and roi_ratios must be finite"
    if not rules.trailing_stop:
        return
    positive, offset = rules.trailing_stop_positive, rules.trailing_stop_positive_offset
    if positive <= 0 or positive >= 1 or not 0 <= offset <= 1:
        yield (
            f"trailing_stop_positive {positive} must lie in (0, 1) or be nan, its offset {offset} in [0, 1]: "
            f"FreqTrade refuses others"
        )
    if rules.trailing_only_offset_is_reached and math.isnan(positive):
        yield "trailing_only_offset_is_reached needs trailing_stop_positive: FreqTrade refuses it without"
    if 0 < offset <= positive:
        yield f"the offset {offset} must be above trailing_stop_positive {positive}: FreqTrade refuses others"


def _plain(
    record: Any, kinds: dict[str, type], may_be_nan: tuple[str, ...] = (), may_be_infinite: tuple[str, ...] = ()
) -> Iterator[str]:
    """Check types and finite values: another type would be compiled anew and mean something else."""
    for name, value in zip(record._fields, record, strict=True):
        kind: Any = kinds.get(name, float)
        if type(value) is not kind:
            yield (
                f"{name} is a {type(value).__name__}, not a {kind.__name__}; make it by "
                f"{type(record).__name__.lower()}()"
            )
        elif kind is float and not (
            math.isfinite(value) or name in may_be_nan and math.isnan(value) or name in may_be_infinite and value > 0
        ):
            yield f"{name} is {value}"


def _signals(course: Any) -> Iterator[str]:
    n_candles = course.open.shape[1]
    if not ((course.first >= 0) & (course.first <= course.end) & (course.end <= n_candles)).all():
        yield "first and end must be columns of the candles, in this order"
    if len(course.month) and not 0 <= course.month.min() <= course.month.max() < course.tick.shape[1]:
        yield "month must be a column of tick"
    enter, exit_, entering = (course.flags & bit != 0 for bit in (ENTER, EXIT, ENTERING))
    if (course.flags > ENTER | EXIT | ENTERING).any() or (enter & ~entering).any() or (exit_ & entering).any():
        yield "flags contradict each other: ENTER goes with ENTERING, EXIT with neither"


def _markets(course: Any, rules: Any) -> Iterator[str]:
    powers = 10.0 ** np.arange(9)
    if not np.isin(course.tick, [0.0, *powers]).all():
        yield "a tick is no power of ten from 1 to 1e-8"
    if not np.isin(course.step, powers).all():
        yield "an amount step is no power of ten from 1 to 1e-8"
    for name in ("min_cost", "max_cost", "min_amount", "max_amount"):
        limits = getattr(course, name)
        if np.isinf(limits).any() or (limits < 0).any():
            yield f"{name} must be 0 or more, or nan for none"
    if rules.sized and np.isinf(course.scale).any():
        yield "a scale is infinite"


def _prices(course: Any) -> Iterator[str]:
    for pair, (first, end) in enumerate(zip(course.first, course.end, strict=True)):
        if first == end:
            continue
        open_, high, low, close = (
            prices[pair, first:end] for prices in (course.open, course.high, course.low, course.close)
        )
        if not (low > 0).all() or not (high < np.inf).all():
            yield f"pair {pair} has a price that is not positive and finite"
        if not ((low <= open_) & (open_ <= high) & (low <= close) & (close <= high)).all():
            yield f"pair {pair} has an open or close outside low and high"
        tick = course.tick[pair, course.month[first:end]]
        highest = float(high.max())
        # the middle of two ticks has one more digit
        if not (highest * PRICE_SCALE < EXACT and highest * tick.max() * 10 < EXACT):
            yield f"pair {pair} reaches {highest:.10g}, more than floats can hold with so many decimals"
        if not all(_has_decimals(prices) for prices in (open_, high, low, close)):
            yield f"pair {pair} has a price with more than 8 decimals"
        if (open_ * tick < 1.0)[tick > 0].any():
            yield f"pair {pair} has an open below one tick"


def _has_decimals(prices: NDArray[np.float64]) -> bool:
    return bool((np.rint(prices * PRICE_SCALE) / PRICE_SCALE == prices).all())
