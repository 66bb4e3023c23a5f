"""The compiled replay: equal to its plain twin, to figures made by hand, and to FreqTrade itself."""

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import parity
import pytest
from arenas import ROOT, prepared
from conftest import CI
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.accounting.replay import reference, simulator
from arena.accounting.replay.simulator import (
    ENTER,
    ENTERING,
    EXIT,
    REASONS,
    Account,
    Replayed,
    ReplayError,
    ReplayInput,
    Room,
    Rules,
    account,
    refusal,
    rules,
)

BUY, SELL, ENTRY_ONLY_IN_NAME = ENTER | ENTERING, EXIT, ENTERING


def same(one: Replayed, other: Replayed) -> list[str]:
    """Fields that are not equal bit for bit."""
    names = [field.name for field in dataclasses.fields(Replayed)]
    return [
        name
        for name in names
        if not np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name not in ("pair", "reason"))
    ]


def outcome(run, case) -> Replayed | str:
    try:
        return run(*case)
    except ReplayError:
        return "raised"


def agree(case) -> Replayed | str:
    """What the compiled replay and its twin both say."""
    assert refusal(*case) is None
    compiled, twin = outcome(simulator.replay, case), outcome(reference.replay, case)
    if isinstance(compiled, str) or isinstance(twin, str):
        assert compiled is twin or compiled == twin
    else:
        assert same(compiled, twin) == []
    return compiled


# random markets


def prices(rng, n, level, decimals, wild):
    """A walk of n candles as (4, n): opens that may jump, some candles that stand still."""
    close = level * np.exp(np.cumsum(rng.normal(0, wild, n)))
    open_ = np.append(level, close[:-1]) * np.exp(rng.normal(0, wild / 3, n) * (rng.random(n) < 0.3))
    high, low = (
        np.maximum(open_, close) * np.exp(rng.exponential(wild, n)),
        np.minimum(open_, close) * np.exp(-rng.exponential(wild, n)),
    )
    still = rng.random(n) < 0.1
    four = np.array([open_, np.where(still, open_, high), np.where(still, open_, low), np.where(still, open_, close)])
    return np.maximum(np.rint(four * 10.0**decimals), 1.0) / 10.0**decimals


def drawn(seed: int) -> tuple[ReplayInput, Account, Rules]:
    """Any market, account and rules at once."""
    rng = np.random.default_rng(seed)

    def pick(*values):
        return values[int(rng.integers(len(values)))]

    n_pairs, n = pick(1, 2, 3, 5), pick(2, 30, 150, 400)
    table = np.full((4, n_pairs, n), np.nan)
    first, end = np.zeros(n_pairs, np.int64), np.full(n_pairs, n)
    month = np.sort(rng.integers(0, 3, n))
    tick, step = np.zeros((n_pairs, 3)), np.zeros(n_pairs)
    for pair in range(n_pairs):
        level, decimals = pick((3e-5, 8), (0.4, 4), (1.0, 2), (40.0, 2), (250.0, 0), (30000.0, 2))
        if rng.random() < 0.3:
            first[pair], end[pair] = np.sort(rng.integers(0, n + 1, 2))
        a, b = first[pair], end[pair]
        table[:, pair, a:b] = prices(rng, b - a, level, decimals, pick(0.003, 0.01, 0.04))
        lowest = np.nanmin(table[0, pair, a:b]) if b > a else level
        scales = [0.0] if rng.random() < 0.1 else [10.0**k for k in range(decimals + 1) if lowest * 10.0**k >= 1]
        tick[pair] = rng.choice([scales[-1], scales[max(len(scales) - 2, 0)], scales[-1]], 3)
        step[pair] = 10.0 ** min(max(math.ceil(math.log10(level)) + pick(0, 1, 3), 0), 8)
    enter, leave, named = (rng.random((n_pairs, n)) < pick(0.005, 0.05, 0.4) for _ in range(3))
    flags = np.where(enter, BUY, np.where(leave, SELL, np.where(named, ENTRY_ONLY_IN_NAME, 0))).astype(np.uint8)
    smallest = rng.choice([np.nan, 5.0, 25.0], n_pairs), rng.choice([np.nan, 1.0], n_pairs) / step
    largest = rng.choice([np.nan, 400.0], n_pairs), rng.choice([np.nan, 1e5], n_pairs) / step
    scale = (
        np.round(rng.random((n_pairs, n)) ** 3 * 2, 3)
        if rng.random() < 0.9
        else np.where(rng.random((n_pairs, n)) < 0.01, np.nan, 0.5)
    )
    course = ReplayInput(
        *table, flags, first, end, tick, month, step, smallest[0], largest[0], smallest[1], largest[1], scale
    )
    stake = pick(None, None, 21.7, 333.0)
    slots = pick(1, 2, n_pairs) if stake is None else pick(1, 3, -1)
    fee = pick(0.0, 0.00075, 0.001, 0.005, 0.01)
    made = account(
        pick(18.0, 60.0, 1000.0, 77777.77), pick(0.99, 1.0, 0.5), stake, slots, fee, compensated=pick(False, True)
    )
    return course, made, drawn_rules(pick)


def drawn_rules(pick) -> Rules:
    trailing = pick({}, {}, {"trailing_stop": True}, {"trailing_stop_positive": 0.01, "trailing_stop_positive_offset": 0.02},
                    {"trailing_stop_positive": 0.004, "trailing_stop_positive_offset": 0.0},
                    {"trailing_stop_positive": 0.005, "trailing_stop_positive_offset": 0.015, "trailing_only_offset_is_reached": True})  # fmt: skip
    return rules(
        pick(-0.004, -0.03, -0.1, -0.6),
        pick(
            {},
            {0: 10},
            {0: 0.0},
            {0: 0.05, 60: 0.02, 300: 0.0},
            {37: 0.03, 240: -0.01, 1000: -1},
            {0: 0.02, 90: 0.004, 600: -1},
            {120: -0.5},
        ),
        pick(60, 60, 5, 7),
        **({"trailing_stop": True} if trailing else {}) | trailing,
        use_exit_signal=pick(True, True, False),
        exit_profit_only=pick(False, True),
        exit_profit_offset=pick(0.0, 0.01, -0.02),
        ignore_roi_if_entry_signal=pick(False, True),
        sized=(sized := pick(False, False, True)),
        clamp=sized and pick(False, True),
    )


def test_the_replay_is_its_twin_on_any_market():
    seen = dict.fromkeys((*REASONS, "rejected", "unfilled", "raised", "at once"), 0)
    for seed in range(500):
        found = agree(drawn(seed))
        if isinstance(found, str):
            seen["raised"] += 1
            continue
        for k, reason in enumerate(REASONS):
            seen[reason] += int((found.reason == k).sum())
        seen["rejected"] += found.rejected
        seen["unfilled"] += found.unfilled
        seen["at once"] += int((found.opened == found.closed).sum())
    assert all(count >= 20 for count in seen.values()), seen


@settings(max_examples=200 if CI else 70, deadline=None)
@given(st.integers(1000, 2**32))
def test_the_replay_is_its_twin_on_markets_that_nobody_chose(seed):
    agree(drawn(seed))


CANDLES = st.lists(
    st.tuples(*[st.integers(-3, 3)] * 2, *[st.integers(0, 3)] * 2, st.sampled_from([0, 0, BUY, BUY, SELL, ENTRY_ONLY_IN_NAME])),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=300 if CI else 100, deadline=None)
@given(
    pairs=st.lists(CANDLES, min_size=1, max_size=3),
    tick=st.sampled_from([0.0, 1.0, 10.0]),
    stoploss=st.sampled_from([-0.01, -0.05, -0.2]),
    roi=st.dictionaries(st.sampled_from([0, 30, 60, 120]), st.sampled_from([-1.0, -0.02, 0.0, 0.02, 0.1]), max_size=3),
    positive=st.sampled_from([None, 0.01, 0.03]),
    offset=st.sampled_from([0.0, 0.05]),
    switches=st.tuples(*[st.booleans()] * 4),
    fee=st.sampled_from([0.0, 0.001]),
    slots=st.integers(1, 3),
)
def test_the_replay_is_its_twin_where_every_price_is_a_round_number(
    pairs, tick, stoploss, roi, positive, offset, switches, fee, slots
):
    """Prices meet stops, targets and each other exactly, all the time."""
    n = max(map(len, pairs))
    table, flags = np.full((4, len(pairs), n), np.nan), np.zeros((len(pairs), n), np.uint8)
    for pair, rows in enumerate(pairs):
        last = 100
        for k, (jump, move, up, down, flag) in enumerate(rows):
            opened = last + jump
            last = opened + move
            table[:, pair, k] = opened, max(opened, last) + up, min(opened, last) - down, last
            flags[pair, k] = flag
    end = np.array([len(rows) for rows in pairs])
    course = course_of(*table, flags=flags, end=end, tick=tick)
    trailing, only, profit_only, ignore = switches
    made = rules(
        stoploss, roi, 60, trailing_stop=trailing, trailing_stop_positive=positive,
        trailing_stop_positive_offset=offset, trailing_only_offset_is_reached=only and positive is not None,
        exit_profit_only=profit_only, ignore_roi_if_entry_signal=ignore,
    )  # fmt: skip
    agree((course, account(1000, 1.0, None, slots, fee), made))


# by hand


def course_of(
    open_, high, low, close, *, flags, first=None, end=None, tick=100.0, step=1000.0, **changes
) -> ReplayInput:
    """Arrays of shape (n_pairs, n): one month, one tick, one amount step, no limits."""
    n_pairs, n = open_.shape
    first = np.zeros(n_pairs, np.int64) if first is None else np.asarray(first, np.int64)
    end = np.full(n_pairs, n) if end is None else np.asarray(end, np.int64)
    none = np.full(n_pairs, np.nan)
    made = ReplayInput(
        *(np.ascontiguousarray(table, dtype=float) for table in (open_, high, low, close)),
        np.ascontiguousarray(flags, np.uint8), first, end, np.full((n_pairs, 1), tick), np.zeros(n, np.int64),
        np.full(n_pairs, step), none, none, none, none, np.ones((1, 1)),
    )  # fmt: skip
    return made._replace(**changes)


def path(*candles, pairs=None, **changes) -> ReplayInput:
    """
    One pair, or several: candles of (open, high, low, close), a price alone, each followed by flags where there are
    any.
    """
    rows = [list(candles)] if pairs is None else pairs
    split = [
        [candle if isinstance(candle, tuple) and isinstance(candle[0], tuple) else (candle, 0) for candle in row]
        for row in rows
    ]
    table = np.array(
        [[price if isinstance(price, tuple) else (price,) * 4 for price, _ in row] for row in split], dtype=float
    )
    flags = [[flag for _, flag in row] for row in split]
    return course_of(*(table[:, :, k] for k in range(4)), flags=flags, **changes)


def flat(price, flag=0):
    """A candle that stands still, with a flag."""
    return ((price,) * 4, flag)


def bar(open_, high, low, close, flag=0):
    return ((open_, high, low, close), flag)


ALL = account(1000, 1.0, None, 1, 0.001)
HOLD = rules(-0.5, {}, 60)


def only(found: Replayed) -> dict:
    """The one trade."""
    assert len(found.pair) == 1
    return {name: getattr(found, name)[0].item() for name in simulator.TRADE.names} | {
        "reason": REASONS[found.reason[0]]
    }


def test_a_trade_from_signal_to_signal():
    """1000 buys 10 at 100 and pays 1001; 10 at 110 bring 1098.9."""
    found = simulator.replay(
        path(flat(100), flat(100, BUY), bar(105, 120, 90, 107), flat(110, SELL), flat(110)), ALL, HOLD
    )
    trade = only(found)
    assert (trade["opened"], trade["closed"], trade["reason"], trade["entered"], trade["left"]) == (
        1,
        3,
        "signal",
        0,
        1,
    )
    assert (trade["amount"], trade["stake"], trade["entry_price"], trade["open_rate"], trade["close_rate"]) == (
        10,
        1000,
        100,
        100,
        110,
    )
    assert (trade["profit"], trade["profit_ratio"], found.balance) == (97.9, 97.9 / 1001, 1097.9)
    assert (trade["max_rate"], trade["min_rate"], trade["stop"], trade["initial_stop"], trade["stop_before"]) == (
        120,
        90,
        50,
        50,
        50,
    )


def test_what_is_left_open_closes_at_its_pairs_last_open_after_everything_else():
    rows = [
        [flat(100), flat(100, BUY), flat(102), flat(104), flat(106)],
        [flat(10, BUY), flat(10), flat(11), flat(12), flat(np.nan)],
    ]
    found = simulator.replay(path(pairs=rows, first=[1, 0], end=[5, 4]), account(1000, 1.0, None, 2, 0.0), HOLD)
    assert found.pair.tolist() == [1, 0]  # the second pair was seen first
    assert found.closed.tolist() == [3, 4]
    assert found.close_rate.tolist() == [12, 106]
    assert [REASONS[k] for k in found.reason] == ["forced", "forced"]
    assert (found.entered.tolist(), found.left.tolist()) == ([0, 1], [2, 3])


def test_pairs_that_hold_a_trade_come_first_then_the_whitelist():
    """
    The second pair leaves before the first one enters in the same candle, so its slot is free; the first sees its
    money.
    """
    rows = [[flat(100), flat(100), flat(100, BUY), flat(100)], [flat(50), flat(50, BUY), flat(60, SELL), flat(60)]]
    found = simulator.replay(path(pairs=rows), account(1000, 1.0, None, 1, 0.0), HOLD)
    assert found.pair.tolist() == [1, 0]
    assert (found.entered.tolist(), found.left.tolist()) == ([0, 2], [1, 3])
    assert found.stake.tolist() == [1000, 1200]
    assert found.rejected == 0


def test_a_pair_does_not_enter_in_the_candle_of_its_exit_nor_in_the_last_one():
    found = simulator.replay(path(flat(100, BUY), bar(100, 100, 40, 50, BUY), flat(60, BUY), flat(60, BUY)), ALL, HOLD)
    assert (found.opened.tolist(), found.closed.tolist()) == ([0, 2], [1, 3])
    assert found.rejected == 0


def test_an_entry_without_a_slot_is_counted():
    rows = [[flat(100, BUY), flat(100), flat(100)], [flat(50, BUY), flat(50, BUY), flat(50, BUY)]]
    found = simulator.replay(path(pairs=rows), ALL, HOLD)
    assert (len(found.pair), found.rejected) == (1, 2)


def test_an_entry_fills_at_the_open_and_its_own_rate_is_rounded_to_the_tick():
    candles = bar(100.26, 100.4, 100.2, 100.26, BUY), bar(100.26, 100.4, 100.24, 100.26, SELL)
    made = account(1002.6, 1.0, None, 1, 0.0)
    trade = only(simulator.replay(path(*candles, tick=10.0), made, rules(-0.001, {}, 60)))
    assert (trade["entry_price"], trade["open_rate"], trade["amount"], trade["stake"]) == (100.26, 100.3, 10, 1002.6)
    assert trade["initial_stop"] == trade["close_rate"] == 100.2  # 100.3 * 0.999 = 100.1997, rounded up
    assert only(simulator.replay(path(*candles, tick=100.0), made, HOLD))["profit"] == 0.0


STOPS = [
    ("the stop is hit at its price", bar(100, 101, 94, 96), {}, "stop", 95.0),
    ("a candle below the stop gives its open", bar(90, 92, 85, 91), {}, "stop", 90.0),
    ("the low that touches it is enough", bar(100, 101, 95, 96), {}, "stop", 95.0),
    ("the target is reached at its price", bar(100, 106, 96, 101), {"roi": {0: 0.05}}, "roi", 105.0),
    ("a stop goes before a target", bar(100, 106, 95, 101), {"roi": {0: 0.05}}, "stop", 95.0),
    ("a new rung below the open gives the open", bar(103, 104, 96, 101), {"roi": {0: 1, 60: 0.02}}, "roi", 103.0),
    ("a rung that began earlier does not", bar(103, 104, 96, 101), {"roi": {0: 0.02}}, "roi", 102.0),
    ("nor one that is not on the grid of candles", bar(103, 104, 96, 101), {"roi": {0: 1, 59: 0.02}}, "roi", 102.0),
    ("-1 leaves at the open", bar(97, 98, 96, 97), {"roi": {60: -1}}, "roi", 97.0),
    ("-1 between candles leaves at the low", bar(97, 98, 96, 97), {"roi": {30: -1}}, "roi", 96.0),
    ("a trailing stop follows this candle's "
     "high", bar(100, 110, 104.5, 105), {"trailing_stop": True}, "trailing", 104.5),
    ("a target goes before a trailing "
     "stop", bar(100, 110, 99, 105), {"trailing_stop": True, "roi": {0: 0.05}}, "roi", 105.0),
    ("a tighter one after its offset", bar(101, 110, 100, 105),
     {"trailing_stop": True, "trailing_stop_positive": 0.01, "trailing_stop_positive_offset": 0.02}, "trailing", 108.9),
    ("at its offset a stop that waits follows, and not yet the tighter one", bar(101, 105, 99, 104),
     {"trailing_stop": True, "trailing_stop_positive": 0.01, "trailing_stop_positive_offset": 0.05, "trailing_only_offset_is_reached": True},
     "trailing", 99.75),
]  # fmt: skip


@pytest.mark.parametrize(
    ("candle", "changes", "reason", "rate"), [case[1:] for case in STOPS], ids=[case[0] for case in STOPS]
)
def test_exits_by_hand(candle, changes, reason, rate):
    changes = dict(changes)
    made = rules(-0.05, changes.pop("roi", {}), 60, **changes)
    course = path(flat(100, BUY), candle, flat(100))
    trade = only(simulator.replay(course, account(1000, 1.0, None, 1, 0.0), made))
    assert (trade["reason"], trade["close_rate"], trade["closed"]) == (reason, rate, 1)
    assert same(simulator.replay(course, ALL, made), reference.replay(course, ALL, made)) == []


def test_a_trailing_stop_in_the_entry_candle_is_assumed_to_be_just_armed():
    candle = bar(100, 110, 90, 105, BUY)
    plain = rules(-0.2, {}, 60, trailing_stop=True, trailing_stop_positive=0.01, trailing_stop_positive_offset=0.02)
    trade = only(simulator.replay(path(candle, flat(100)), account(1000, 1.0, None, 1, 0.0), plain))
    # one per cent below the open
    assert (trade["closed"], trade["reason"], trade["close_rate"]) == (0, "trailing", 99.0)
    assert (trade["stop"], trade["initial_stop"], trade["stop_before"]) == (108.9, 80, 80)
    waits = plain._replace(trailing_only_offset_is_reached=True)
    trade = only(simulator.replay(path(candle, flat(100)), account(1000, 1.0, None, 1, 0.0), waits))
    assert trade["close_rate"] == 101.0  # two above, one below


def test_an_exit_off_its_candle_waits_for_the_next_one():
    """The open of 100.04 is rounded to 100.0, below the low."""
    course = path(flat(100, BUY), flat(100.04, SELL), bar(100.2, 100.3, 100.1, 100.2, SELL), flat(100), tick=10.0)
    found = simulator.replay(course, ALL, HOLD)
    assert (found.unfilled, only(found)["closed"], only(found)["close_rate"]) == (1, 2, 100.2)


def test_signals_that_contradict_each_other_do_not_leave():
    found = simulator.replay(path(flat(100, BUY), flat(100, ENTRY_ONLY_IN_NAME), flat(100, SELL), flat(100)), ALL, HOLD)
    assert only(found)["closed"] == 2


def test_the_smallest_stake_is_reached_by_a_third_more_at_most():
    for wallet, trades in [(25, 1), (19, 1), (15, 0)]:
        course = path(flat(10, BUY), flat(10), min_cost=np.array([20.0]))
        half = account(2 * wallet, 1.0, None, 2, 0.0)
        assert len(simulator.replay(course, half, HOLD).pair) == trades
        if trades:
            # 20 * 1.05 / 0.95, truncated
            assert only(simulator.replay(course, half, HOLD))["stake"] == {25: 25, 19: 22.1}[wallet]


def test_a_fixed_stake_above_what_is_there_is_no_trade():
    course = path(flat(10, BUY), flat(10), flat(10))
    assert len(simulator.replay(course, account(100, 0.99, 99, 1, 0.0), HOLD).pair) == 1
    found = simulator.replay(course, account(100, 0.99, 99.5, 1, 0.0), HOLD)
    assert (len(found.pair), found.rejected, found.balance) == (0, 0, 100)


def test_sums_of_stakes_are_those_of_this_python():
    assert (sys.version_info >= (3, 12)) == simulator.SUM_IS_COMPENSATED


@given(st.lists(st.floats(0, 1e12), max_size=8))
def test_the_twin_adds_as_this_python_does(values):
    assert reference._sum(values, simulator.SUM_IS_COMPENSATED) == sum(values)


def test_compensated_sums_can_decide_the_last_digits():
    rows = [[flat(round(1.2e-5 + 1e-8 * (7 * p + k), 8), BUY if k == p else 0) for k in range(9)] for p in range(8)]
    course = path(pairs=rows, step=1e8, tick=1e8)
    cases = [(course, account(1848.75, 0.99, None, 8, 0.001, compensated=way), HOLD) for way in (False, True)]
    assert "amount" in same(*map(agree, cases))


def base() -> ReplayInput:
    """Two pairs in which everything happens."""
    rng = np.random.default_rng(5)
    table = np.stack([prices(rng, 400, 100.0, 2, 0.005) for _ in range(2)], axis=1)
    flags = rng.choice(np.array([0, BUY, SELL, ENTRY_ONLY_IN_NAME], np.uint8), (2, 400), p=[0.8, 0.1, 0.05, 0.05])
    return course_of(
        *table, flags=flags, min_cost=np.full(2, 60.0), max_cost=np.full(2, 950.0), scale=np.full((2, 400), 0.9)
    )


BASE = base()
BASE_RULES = rules(
    -0.03, {0: 0.03, 60: 0.02}, 60, trailing_stop=True, trailing_stop_positive=0.005, trailing_stop_positive_offset=0.01
)
CHANGES = [
    ("rules", name, value)
    for name, value in {
        "stoploss": -0.01, "trailing_stop": False, "trailing_stop_positive": np.nan,
        "trailing_stop_positive_offset": 0.02, "trailing_only_offset_is_reached": True,
        "roi_minutes": np.array([0, 120]), "roi_ratios": np.array([0.01, 0.0]), "use_exit_signal": False,
        "exit_profit_only": True, "ignore_roi_if_entry_signal": True, "step_minutes": 30, "sized": True,
    }.items()
] + [
    ("account", name, value) for name,
    value in {"wallet": 999.0, "ratio": 0.9, "stake": 100.0, "slots": 2.0, "cost_reserve": 20.0}.items()
] + [
    ("course", name, value)
    for name, value in {
        "tick": np.full((2, 1), 1.0), "step": np.full(2, 1.0), "min_cost": np.full(2, 5000.0),
        "max_cost": np.full(2, 500.0), "min_amount": np.full(2, 500.0), "max_amount": np.full(2, 5.0),
        "first": np.array([90, 0]), "end": np.array([400, 200]),
    }.items()
]  # fmt: skip


@pytest.mark.parametrize(("record", "name", "value"), CHANGES, ids=[f"{record}.{name}" for record, name, _ in CHANGES])
def test_every_parameter_changes_the_result(record, name, value):
    case = {"course": BASE, "account": account(1000, 1.0, None, 1, 0.0), "rules": BASE_RULES}
    before = agree(tuple(case.values()))
    case[record] = case[record]._replace(**{name: value})
    assert same(before, agree(tuple(case.values())))


def test_parameters_that_need_others_change_the_result():
    made = account(1000, 1.0, None, 1, 0.0)
    profit = BASE_RULES._replace(
        exit_profit_only=True, trailing_stop=False, roi_ratios=np.array([0.5, 0.4]), stoploss=-0.3
    )
    assert same(agree((BASE, made, profit)), agree((BASE, made, profit._replace(exit_profit_offset=-0.05))))
    sized = BASE_RULES._replace(sized=True)
    large = BASE._replace(scale=np.full((2, 400), 0.01))
    assert same(agree((large, made, sized)), agree((large, made, sized._replace(clamp=True))))
    least = BASE._replace(min_amount=np.full(2, 10.0), min_cost=np.full(2, np.nan), max_cost=np.full(2, np.nan))
    assert same(agree((least, made, BASE_RULES)), agree((least, made._replace(amount_reserve=1.0), BASE_RULES)))
    assert same(agree((BASE, made, BASE_RULES)), agree((BASE, account(1000, 1.0, None, 1, 0.001), BASE_RULES)))


# room and troubles


def test_a_room_is_used_again():
    case = next(case for case in map(drawn, range(100)) if len(case[0].month) > 100)
    room = Room.of(case[0])
    first = simulator.replay(*case, room)
    rows = room.rows
    again = simulator.replay(*case, room)
    assert room.rows is rows and same(first, again) == []
    assert len(first.pair) == simulator.replay_into(*case, room) > 0
    assert np.array_equal(room.rows["profit"][: len(first.pair)], first.profit)


def test_a_room_that_is_too_small_is_said():
    with pytest.raises(ReplayError, match="fewer rows"):
        simulator.replay(BASE, ALL, BASE_RULES, Room.of(BASE, 1))


TROUBLES = {
    "nobody knows": (path(flat(100, BUY), flat(100), scale=np.array([[np.nan, 1.0]])), ALL, HOLD._replace(sized=True)),
    "last open": (path(flat(100, BUY), flat(100), flat(100.04), tick=10.0), ALL, HOLD),
    "more steps": (
        path(flat(0.00000002, BUY), flat(0.00000002), tick=1e8, step=1e8),
        account(1e9, 1.0, None, 1, 0.0),
        HOLD,
    ),
    "more than 8 decimals": (
        path(flat(100.123457, BUY), bar(100, 101, 90, 95), flat(95), tick=0.0),
        ALL,
        rules(-0.0333333, {}, 60),
    ),
}


@pytest.mark.parametrize("words", TROUBLES)
def test_what_shows_only_on_the_way_is_raised(words):
    case = TROUBLES[words]
    assert refusal(*case) is None
    with pytest.raises(ReplayError, match=words):
        simulator.replay(*case)
    with pytest.raises(ReplayError):
        reference.replay(*case)


def test_an_unknown_size_that_is_not_asked_for_is_no_trouble():
    course = path(flat(100, BUY), flat(100), flat(100, BUY), flat(100), scale=np.array([[0.5, np.nan, np.nan, np.nan]]))
    assert len(simulator.replay(course, ALL, HOLD._replace(sized=True)).pair) == 1


def test_a_product_in_the_middle_of_two_floats_is_raised():
    """Half of an odd number of 25 bits times an odd one of 29: an odd number of 54."""
    price, units = 16777213.5, 536870911.0
    course = path(flat(price, BUY), flat(price), tick=10.0, step=1.0)
    case = course, account(2e16, 1.0, price * (units + 0.5), 1, 0.0), HOLD
    assert refusal(*case) is None
    assert only(reference.replay(*case))["amount"] == units
    with pytest.raises(ReplayError, match="middle"):
        simulator.replay(*case)


# refusals

COURSE = path(flat(100, BUY), flat(100), flat(100))
REFUSED = {
    "open and tick must have two": ("course", {"open": np.ones(3)}),
    "course.high must be a C-contiguous array of float64": ("course", {"high": np.ones((1, 3), np.float32)}),
    "course.low must be a C-contiguous": ("course", {"low": np.full((1, 6), 100.0)[:, ::2]}),
    "course.flags must be a C-contiguous array of uint8": ("course", {"flags": np.zeros((1, 3), np.int64)}),
    r"course.close has the shape \(1, 2\)": ("course", {"close": np.ones((1, 2))}),
    "course.month has the shape": ("course", {"month": np.zeros(4, np.int64)}),
    "course.scale has the shape": ("course", {"scale": np.ones((1, 2))}),
    "first and end": ("course", {"end": np.array([4])}),
    "month must be a column": ("course", {"month": np.array([0, 0, 1])}),
    "flags contradict": ("course", {"flags": np.array([[ENTER, 0, 0]], np.uint8)}),
    "tick is no power of ten": ("course", {"tick": np.array([[20.0]])}),
    "a tick is no power": ("course", {"tick": np.array([[0.1]])}),
    "tick is no power of ten from": ("course", {"tick": np.array([[1e9]])}),
    "step is no power": ("course", {"step": np.array([0.1])}),
    "step is no power of ten from 1 to 1e-8": ("course", {"step": np.array([0.0])}),
    "max_cost must be": ("course", {"max_cost": np.array([-1.0])}),
    "not positive": ("course", {"low": np.array([[100.0, 0.0, 100.0]])}),
    "not positive and finite": ("course", {"high": np.array([[100.0, np.inf, 100.0]])}),
    "outside low and high": ("course", {"open": np.array([[100.0, 101.0, 100.0]])}),
    "close outside": ("course", {"close": np.array([[100.0, 99.0, np.nan]])}),
    "more than 8 decimals": ("course", {"high": np.array([[100.0, 100.000000001, 100.0]])}),
    "more than floats can hold": ("course", {"high": np.array([[100.0, 3e7, 100.0]])}),
    "reaches 3000000": ("course", {"high": np.array([[100.0, 3e6, 100.0]]), "tick": np.array([[1e8]])}),
    "below one tick": (
        "course",
        {name: np.full((1, 3), 0.25) for name in ("open", "high", "low", "close")} | {"tick": np.array([[1.0]])},
    ),
    "wallet is a int": ("account", {"wallet": 1000}),
    "wallet is nan": ("account", {"wallet": np.nan}),
    "wallet is -1": ("account", {"wallet": -1.0}),
    "ratio is 1.5": ("account", {"ratio": 1.5}),
    "stake is 0": ("account", {"stake": 0.0}),
    "slots is 0": ("account", {"slots": 0.0}),
    "slots is 1.5": ("account", {"slots": 1.5}),
    "needs a limit of slots": ("account", {"slots": np.inf}),
    "fee is 1": ("account", {"fee": 1.0}),
    "fee is -0.1": ("account", {"fee": -0.1}),
    "not those of the fee": ("account", {"fee": 0.002}),
    "reserves must be": ("account", {"cost_reserve": 0.9}),
    "compensated is a int": ("account", {"compensated": 1}),
    r"stoploss is -1.0; it must lie in \(-1, 0\)": ("rules", {"stoploss": -1.0}),
    "stoploss is 0.0": ("rules", {"stoploss": 0.0}),
    "stoploss is nan": ("rules", {"stoploss": np.nan}),
    "step_minutes is 0": ("rules", {"step_minutes": 0}),
    "roi_minutes must ascend": ("rules", {"roi_minutes": np.array([-5]), "roi_ratios": np.array([0.1])}),
    "must ascend from 0": ("rules", {"roi_minutes": np.array([5, 5]), "roi_ratios": np.array([0.1, 0.1])}),
    "must be finite": ("rules", {"roi_minutes": np.array([5]), "roi_ratios": np.array([np.nan])}),
    "rules.roi_ratios has the shape": ("rules", {"roi_minutes": np.array([5])}),
    r"trailing_stop_positive 0.0 must lie in \(0, 1\)": (
        "rules",
        {"trailing_stop": True, "trailing_stop_positive": 0.0},
    ),
    "its offset -0.1": ("rules", {"trailing_stop": True, "trailing_stop_positive_offset": -0.1}),
    "needs trailing_stop_positive": ("rules", {"trailing_stop": True, "trailing_only_offset_is_reached": True}),
    "must be above trailing": (
        "rules",
        {"trailing_stop": True, "trailing_stop_positive": 0.02, "trailing_stop_positive_offset": 0.01},
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_represented_is_refused(words):
    record, changes = REFUSED[words]
    case = {"course": COURSE, "account": ALL, "rules": HOLD}
    assert refusal(*case.values()) is None
    case[record] = case[record]._replace(**changes)
    why = refusal(*case.values())
    assert why is not None
    assert re.search(words, why), why


def test_an_infinite_scale_is_refused_where_it_counts():
    course = COURSE._replace(scale=np.full((1, 3), np.inf))
    assert refusal(course, ALL, HOLD) is None
    assert "infinite" in refusal(course, ALL, HOLD._replace(sized=True))


def test_what_lies_outside_a_pairs_candles_is_not_looked_at():
    rows = [[flat(np.nan), flat(100, BUY), flat(100), flat(-1)]]
    course = path(pairs=rows, first=[1], end=[3])
    assert refusal(course, ALL, HOLD) is None
    assert only(simulator.replay(course, ALL, HOLD))["closed"] == 2


def test_a_market_without_pairs_or_candles_has_no_trades():
    for course in (path(pairs=[[flat(1), flat(1)]], end=[0]), course_of(*np.zeros((4, 0, 0)), flags=np.zeros((0, 0)))):
        found = agree((course, ALL, HOLD))
        assert (len(found.pair), found.balance) == (0, 1000)


# FreqTrade itself

QUICK = ("stop", "roi that falls below "
                 "zero", "odd minutes", "trailing and roi", "odd entries ignore roi", "fixed stake that runs out",
         "clamped in a tiny wallet", "late and early, held", "coarse ticks", "ticks of the exchange")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Real candles where there are any, else those of the sample market."""
    made = tmp_path_factory.mktemp("parity")
    real = ROOT.parent / "shared" / "market-data"
    if os.environ.get("CI") == "true" and not real.is_dir():
        pytest.fail("no real candles beside the repository")
    if real.is_dir():
        for file in (real / "spot").glob("*.feather"):
            (made / file.name).symlink_to(file)
        (made / "markets.json").write_bytes((real / "markets.json").read_bytes())
        return made
    exchange = {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT"]}
    arena = {"warmup_from": "20201001", "windows": {"all": "20210101-20220601"}, "validation": None, "holdout": None}
    data = prepared(tmp_path_factory.mktemp("sample"), exchange=exchange, arena=arena).root / "user_data" / "data"
    for file in (*data.glob("*-1h.feather"), data / "markets.json"):
        (made / file.name).write_bytes(file.read_bytes())
    return made


def compared(folder: Path, scratch: Path, names) -> dict:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "parity.py"), str(folder), str(scratch), *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def check(found: dict) -> None:
    assert {name: case["differences"] for name, case in found.items() if case["differences"]} == {}
    raised = {name: case["raised"] for name, case in found.items() if "raised" in case}
    assert all("last open" in why and found[name]["left_open"] for name, why in raised.items()), raised


@pytest.mark.slow
def test_every_figure_is_freqtrades(folder, tmp_path):
    found = compared(folder, tmp_path, QUICK)
    check(found)
    assert sum(case["trades"] for case in found.values()) > 2000
    assert sum(case["unfilled"] for case in found.values()) > 10
    assert any(case.get("twin") for case in found.values())


@pytest.mark.nightly
def test_every_figure_is_freqtrades_in_every_case(folder, tmp_path):
    found = compared(folder, tmp_path, [name for name in parity.CASES if name not in QUICK])
    check(found)
    assert len(found) + len(QUICK) >= 100
    assert sum("raised" in case for case in found.values()) < 10
    counts = [case["reasons"] for case in found.values() if "reasons" in case]
    assert all(sum(count[reason] for count in counts) > 100 for reason in REASONS)
    assert sum(case["unfilled"] for case in found.values()) > 10
    assert sum(case["rejected"] for case in found.values()) > 1000
    assert sum(bool(case.get("twin")) for case in found.values()) > 30
