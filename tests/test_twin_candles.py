"""What one candle explains, worked out by hand: the same arguments must get the same answer."""

from dataclasses import replace

import numpy as np
import pytest

from arena.checks.twin_candles import HANDED, TOUCHES, Candle, alike, late, touched
from arena.records import ORDER_KINDS
from arena.sandbox.messages import unpack_events
from arena.sandbox.worker.event_log import EventLog

PAIRS = ("BTC/USDT", "ETH/USDT")
BTC, ETH = PAIRS
AT, HOUR = 1_700_000_000_000, 3_600_000


def told(*rows, given=None):
    """Events of one candle: (pair, name, answer), an exit's kind by its word; `given` is a pair of numbers for each."""
    recorder = EventLog(PAIRS)
    for pair, name, answer, *later in rows:
        recorder.note(
            AT + (later[0] if later else 0), pair, name, ORDER_KINDS.index(answer) if name == "exit asked" else answer
        )
    events = unpack_events(**recorder.take())
    return events if given is None else replace(events, given=np.array(given, dtype=np.int64).reshape(-1, 2))


def candle(high, low):
    return {pair: np.array([[AT, 100.0, high, low, 101.0, 5.0]]) for pair in PAIRS}


def compared(here, there, given=None):
    """The finding, and what was handed. `given` has what each of the same events was handed, here and there."""
    ours, theirs = given or (None, None)
    base = told(*here)
    made = Candle(
        PAIRS,
        base,
        told(*there, given=theirs),
        AT,
        candle(105, 95),
        candle(103, 98),
        told(*here, given=ours) if given else None,
    )
    return made.compare(), made.handed


STOP = (BTC, "exit asked", "stop")
VETO, CONFIRMED = (BTC, "confirm_trade_exit", False), (BTC, "confirm_trade_exit", True)
NOTHING = (0, 0)


def test_a_confirmation_with_the_same_arguments_must_be_the_same():
    found, handed = compared([STOP, CONFIRMED], [STOP, VETO], ([NOTHING, (7, 3)], [NOTHING, (7, 3)]))
    assert "confirm_trade_exit is True with the future, False without" in str(found)
    assert not handed


def test_one_that_was_asked_at_another_rate_need_not():
    assert compared([STOP, CONFIRMED], [STOP, VETO], ([NOTHING, (7, 3)], [NOTHING, (8, 3)])) == (None, {})
    assert compared([STOP, CONFIRMED], [STOP, VETO], ([NOTHING, (7, 3)], [NOTHING, (8, 4)])) == (None, {})


@pytest.mark.parametrize("name", HANDED)
def test_an_answer_that_hangs_on_the_trades_extremes_is_told(name):
    found, handed = compared([(BTC, name, 1.0)], [(BTC, name, 2.0)], ([(7, 3)], [(7, 4)]))
    assert found is None
    assert f"{name} is 1.0 with the future, 2.0 without" in str(handed[name])


@pytest.mark.parametrize(
    "name",
    ["custom_stake_amount", "confirm_trade_entry", "adjust_trade_position", "check_entry_timeout", "bot_loop_start"],
)
def test_of_entries_and_sizes_no_answer_may(name):
    found, handed = compared([(BTC, name, 1.0)], [(BTC, name, 2.0)], ([(7, 3)], [(7, 4)]))
    assert f"{name} is 1.0 with the future" in str(found)
    assert not handed


def test_a_limit_that_both_candles_reach_fills_in_both():
    filled = (BTC, "filled", 98.5)
    assert "filled is 98.5 with the future, not there without" in str(compared([filled], [])[0])
    assert "filled is 98.5 without the future" in str(compared([], [filled])[0])


@pytest.mark.parametrize("price", [96.0, 104.0])
def test_one_that_the_true_candle_alone_reaches_does_not(price):
    assert compared([(BTC, "filled", price)], []) == (None, {})


@pytest.mark.parametrize("kind", ORDER_KINDS)
def test_only_what_is_reached_inside_a_candle_is_asked_in_one_world_alone(kind):
    assert (compared([(BTC, "exit asked", kind)], [])[0] is None) == (kind in TOUCHES)


def test_a_lock_needs_a_touch_of_its_own_pair_before_it():
    lock = (BTC, "lock_pair", 1e9)
    assert compared([STOP, lock], [STOP])[0] is None
    assert compared([(BTC, "filled", 100.0), lock], [(BTC, "filled", 100.0)])[0] is None
    assert "lock_pair" in str(compared([lock, STOP], [STOP])[0])
    assert "lock_pair" in str(compared([(ETH, "exit asked", "stop"), lock], [(ETH, "exit asked", "stop")])[0])
    assert compared([(ETH, "exit asked", "stop"), ("*", "lock_pair", 1e9)], [(ETH, "exit asked", "stop")])[0] is None


def test_a_target_that_the_close_forbids_in_the_candle_of_its_entry_is_explained():
    entry, target = (BTC, "filled", 98.5), (BTC, "exit asked", "roi")
    asked = [entry, target, CONFIRMED]
    assert alike(PAIRS, told(*asked), told(entry, target), AT) is None
    assert "confirm_trade_exit" in str(alike(PAIRS, told(*asked), told(entry, target, VETO), AT))
    # no entry in this candle
    assert "confirm_trade_exit" in str(alike(PAIRS, told(target, CONFIRMED), told(target), AT))


def test_with_another_close_alone_everything_is_the_same():
    base = told(STOP, CONFIRMED, (ETH, "custom_stoploss", -0.1), ("*", "lock_pair", 1e9), (BTC, "filled", 95.0, HOUR))
    now = [STOP, CONFIRMED, (ETH, "custom_stoploss", -0.1), ("*", "lock_pair", 1e9)]
    assert alike(PAIRS, base, told(*now), AT) is None
    assert "not there without" in str(alike(PAIRS, base, told(*now[:3]), AT))
    assert "custom_stoploss is -0.1 with the future, -0.2 without" in str(
        alike(PAIRS, base, told(*now[:2], (ETH, "custom_stoploss", -0.2)), AT)
    )


def test_which_side_of_a_candle_was_reached():
    base = told(STOP, (ETH, "exit asked", "roi"))
    assert touched(base, AT) == {0: "low", 1: "high"}
    assert touched(told((BTC, "exit asked", "trailing")), AT) == {0: "low"}
    assert touched(told((BTC, "exit asked", "custom"), (BTC, "filled", 100.0)), AT) == {}
    assert touched(base, AT + HOUR) == {}


def test_exits_that_a_callback_decides():
    assert late([]) == frozenset()
    assert late(["custom_exit"]) == {"custom"}
    assert late(["custom_exit", "custom_roi"]) == {"custom", "roi"}
    assert set().union(*HANDED.values()) <= set(ORDER_KINDS)
