import math
from dataclasses import replace

import pytest
from builders import market, orders

from arena.accounting.booking import book
from arena.accounting.pessimistic_fills import optimistic_fills
from arena.records import ORDER_KINDS


def share(candles, *rows, fee=0.0):
    candles = candles if hasattr(candles, "pairs") else market(candles)
    made = orders(*rows)
    return optimistic_fills(candles, made, book(candles, made, wallet=1000, fee=fee, slots=0), fee=fee)


def test_orders_at_the_open_owe_nothing_to_a_friendly_order():
    candles = [(100, 110, 90, 105), (105, 112, 95, 103), (103, 120, 100, 110)]
    assert (
        share(
            candles,
            (0, 0, "buy", 100, 1),
            (0, 1, "buy", 105, 1),
            (0, 2, "sell", 103, 0.5),
            (0, 2, "sell", 103, 1.5, "roi"),
        )
        == 0.0
    )
    rising = [(100, 105, 100, 105), (105, 112, 105, 112), (112, 112, 112, 112)]  # the open is the low
    assert share(rising, (0, 0, "buy", 100, 1), (0, 1, "buy", 105, 1), (0, 2, "sell", 112, 2)) == 0.0


ROUND_TRIP = [(100, 110, 95, 105), 102]
"""One buys at the first open and sells within the same candle at 108, or at the next open."""


@pytest.mark.parametrize("kind", [kind for kind in ORDER_KINDS if kind not in ("entry", "stop")])
def test_an_exit_in_the_entrys_candle_waits_for_the_next_open(kind):
    assert share(ROUND_TRIP, (0, 0, "buy", 100, 1), (0, 0, "sell", 108, 1, kind)) == pytest.approx((8 - 2) / 8)


def test_an_exit_a_candle_later_need_not_wait():
    assert share([100, (100, 110, 95, 105), 102], (0, 0, "buy", 100, 1), (0, 1, "sell", 108, 1, "roi")) == 0.0


def test_an_exit_in_the_candle_of_a_later_entry_need_not_wait():
    candles = [100, (100, 110, 95, 105), 102]
    assert share(candles, (0, 0, "buy", 100, 1), (0, 1, "buy", 100, 1), (0, 1, "sell", 108, 2, "roi")) == 0.0


@pytest.mark.parametrize(
    ("kind", "stop_before", "lost"),
    [
        ("stop", 96, 0),
        ("stop", math.nan, 0),
        ("stop", 95, 4),  # it stood at 95 and this candle raised it
        ("trailing", 96, 0),
        ("trailing", 97, 0),
        ("trailing", 95, 4),
        ("trailing", math.nan, 4),
        ("signal", 96, 4),
    ],
)
def test_a_stop_that_stood_before_may_end_a_trade_in_its_first_candle(kind, stop_before, lost):
    # sold at 96 or at the next open, 92; then 10 are earned
    candles = [(100, 101, 90, 92), 92, 102]
    rows = (0, 0, "buy", 100, 1), (0, 0, "sell", 96, 1, kind, stop_before), (0, 1, "buy", 92, 1), (0, 2, "sell", 102, 1)
    assert share(candles, *rows) == pytest.approx(lost / 6)


@pytest.mark.parametrize(
    ("low", "expected"), [(90, 1.0), (90 - 1e-9, 1.0), (89.9, 0.0)], ids=["touched", "rounded", "traded through"]
)
def test_a_limit_buy_needs_trade_through(low, expected):
    candles = [(100, 105, low, 101), 110]
    assert share(candles, (0, 0, "buy", 90, 1), (0, 1, "sell", 110, 1)) == expected


@pytest.mark.parametrize(
    ("high", "lost"), [(120, 8), (120 + 1e-9, 8), (120.1, 0)], ids=["touched", "rounded", "traded through"]
)
def test_a_limit_sell_needs_trade_through_or_waits_for_the_next_open(high, lost):
    candles = [100, (105, high, 104, 112), 112]
    assert share(candles, (0, 0, "buy", 100, 1), (0, 1, "sell", 120, 1, "roi")) == pytest.approx(lost / 20)


def test_a_sell_at_an_open_that_is_the_high_is_no_limit():
    assert share([100, (120, 120, 104, 112), 112], (0, 0, "buy", 100, 1), (0, 1, "sell", 120, 1)) == 0.0


@pytest.mark.parametrize(
    ("kind", "stop_before", "lost"),
    [
        ("trailing", 95, 4),
        ("stop", 95, 4),
        ("trailing", 114, 0),
        ("trailing", 114 * (1 - 1e-12), 0),
        ("trailing", math.nan, 0),
        ("custom", 95, 0),  # no stop sold it
    ],
)
def test_a_stop_raised_within_its_candle_waits_for_the_next_open(kind, stop_before, lost):
    candles = [100, (105, 120, 100, 110), 110]
    rows = (0, 0, "buy", 100, 1), (0, 1, "sell", 114, 1, kind, stop_before)
    assert share(candles, *rows) == pytest.approx(lost / 14)


@pytest.mark.parametrize(("stop_before", "lost"), [(108, 0), (105, 0), (104, 3)])
def test_a_gap_below_a_stop_fills_at_the_open(stop_before, lost):
    candles = [100, (105, 120, 100, 102), 102]
    rows = (0, 0, "buy", 100, 1), (0, 1, "sell", 105, 1, "trailing", stop_before)
    assert share(candles, *rows) == pytest.approx(lost / 5)


def test_the_first_entry_takes_its_whole_trade_along():
    candles = [(100, 101, 90, 100), 100, 110, 120]
    assert (
        share(candles, (0, 0, "buy", 90, 1), (0, 1, "buy", 100, 1), (0, 2, "sell", 110, 1), (0, 3, "sell", 120, 1))
        == 1.0
    )


def test_without_a_later_entry_the_exits_sell_the_same_fractions_of_less():
    candles = [100, (100, 101, 90, 100), 110, 120]
    rows = (0, 0, "buy", 100, 2), (0, 1, "buy", 90, 2), (0, 2, "sell", 110, 1, "adjust"), (0, 3, "sell", 120, 3)
    # booked -200 - 180 + 110 + 360; without the second entry -200 + 0.5 x 110 + 1.5 x 120
    assert share(candles, *rows) == pytest.approx((90 - 35) / 90)


def test_each_partial_exit_is_judged_alone():
    candles = [100, (100, 110, 99, 104), (104, 130, 104, 120), 120]
    rows = (0, 0, "buy", 100, 2), (0, 1, "sell", 110, 1, "adjust"), (0, 2, "sell", 125, 1, "roi")
    # the first waits for 104, the second traded through
    assert share(candles, *rows) == pytest.approx((10 - 4) / (10 + 25))


def test_a_trade_after_one_that_was_left_out_is_judged_alone():
    candles = [(100, 101, 90, 100), 110, 100, 130]
    rows = (0, 0, "buy", 90, 1), (0, 1, "sell", 110, 1), (0, 2, "buy", 100, 1), (0, 3, "sell", 130, 1)
    assert share(candles, *rows) == pytest.approx(20 / 50)


def test_what_rounding_leaves_of_a_position_is_flat():
    candles = [100, 100, 110, (100, 110, 95, 105), 102]
    rows = (0, 0, "buy", 100, 0.1), (0, 1, "buy", 100, 0.2), (0, 2, "sell", 110, 0.3)
    # a new trade begins in candle 3, and its exit at 108 in the same candle waits for 102
    assert share(candles, *rows, (0, 3, "buy", 100, 1), (0, 3, "sell", 108, 1, "roi")) == pytest.approx(6 / (3 + 8))


def test_a_small_position_after_a_large_one_is_not_flat():
    candles = [(1e-10, 1e-10, 1e-10, 1e-10), 2e-10, (100, 110, 99, 104), (104, 130, 104, 120), 120]
    rows = (0, 0, "buy", 1e-10, 1e12), (0, 1, "sell", 2e-10, 1e12), (0, 2, "buy", 100, 2)
    # of two units, the first at 110 in the entry's candle waits for 104, the second stands: 100 were earned before
    found = share(candles, *rows, (0, 2, "sell", 110, 1, "adjust"), (0, 3, "sell", 125, 1, "roi"))
    assert found == pytest.approx(6 / (100 + 10 + 25))


def test_pairs_are_judged_by_their_own_candles_and_positions():
    a, b = [(100, 110, 95, 105), 102, 102], [50, (50, 60, 40, 50), 55]
    rows = (
        (0, 0, "buy", 100, 1),
        (1, 0, "buy", 50, 2),
        (0, 0, "sell", 108, 1, "roi"),
        (1, 1, "sell", 60, 1, "roi"),
        (1, 2, "sell", 55, 1),
    )
    # A: 8, then 2; B: 10 by a high that was only touched, then 5 by the open of 55, and 5 that stand
    assert share(market(a, b), *rows) == pytest.approx((6 + 5) / (8 + 10 + 5))


def test_fees_are_paid_by_the_pessimist_as_well_and_his_loss_can_exceed_the_profit():
    rows = (0, 0, "buy", 100, 1), (0, 0, "sell", 108, 1, "roi")
    assert share(ROUND_TRIP, *rows, fee=0.01) == pytest.approx(6 * 0.99 / (108 * 0.99 - 101))
    assert share(ROUND_TRIP, *rows, fee=0.01) > 1
    # an entry that is left out saves its fee
    candles = [100, (100, 105, 90, 101), 110]
    rows = (0, 0, "buy", 100, 1), (0, 1, "buy", 90, 1), (0, 2, "sell", 110, 2)
    assert share(candles, *rows, fee=0.01) == pytest.approx((110 * 0.99 - 90 * 1.01) / (220 * 0.99 - 190 * 1.01))


def test_exits_that_knew_their_candle_are_sold_at_the_next_open():
    candles = market([100, (110, 112, 90, 95), 96])
    made = orders((0, 0, "buy", 100, 1), (0, 1, "sell", 110, 1, "custom"))
    booked = book(candles, made, wallet=1000, fee=0, slots=0)
    assert optimistic_fills(candles, made, booked, fee=0) == 0.0
    assert optimistic_fills(candles, made, booked, fee=0, late=frozenset({"roi"})) == 0.0
    # 110 - 96
    assert optimistic_fills(candles, made, booked, fee=0, late=frozenset({"roi", "custom"})) == pytest.approx(14 / 10)


def test_without_a_profit_there_is_none_to_be_wishful_about():
    assert share([(100, 110, 90, 95), 80], (0, 0, "buy", 100, 1), (0, 0, "sell", 95, 1)) == 0.0
    assert share([100, 100]) == 0.0


def test_an_account_that_is_undefined_has_no_share():
    candles, made = market(ROUND_TRIP), orders((0, 0, "buy", 100, 1), (0, 0, "sell", 108, 1, "roi"))
    booked = replace(book(candles, made, wallet=1000, fee=0, slots=0), open_profit=math.nan)
    assert math.isnan(optimistic_fills(candles, made, booked, fee=0.0))


def test_a_pessimist_who_does_better_does_not_make_fills_less_than_honest():
    assert share([(100, 110, 95, 105), 120], (0, 0, "buy", 100, 1), (0, 0, "sell", 108, 1, "roi")) == 0.0


def test_in_the_markets_last_candle_what_waits_is_sold_at_its_open():
    assert share([100, (104, 120, 103, 118)], (0, 0, "buy", 100, 1), (0, 1, "sell", 120, 1, "roi")) == pytest.approx(
        16 / 20
    )


def test_in_a_pairs_last_candle_what_waits_is_sold_at_its_close():
    candles = market([100, (104, 120, 103, 118), None, None], [1, 1, 1, 1])
    assert share(candles, (0, 0, "buy", 100, 1), (0, 1, "sell", 120, 1, "roi")) == pytest.approx(2 / 20)
    # bought below the open of the pair's last candle and sold by FreqTrade at that open
    candles = market([(100, 101, 80, 92), None], [1, 1])
    assert share(candles, (0, 0, "buy", 90, 1), (0, 0, "sell", 100, 1, "forced")) == pytest.approx(8 / 10)


def test_a_position_that_never_closed_counts_as_it_is_marked_at_the_end():
    candles = [(100, 100, 90, 95), (110, 150, 110, 150)]
    assert share(candles, (0, 0, "buy", 90, 1)) == 1.0
    assert share(candles, (0, 0, "buy", 100, 1)) == 0.0
    candles = [100, (100, 100, 90, 95), (110, 150, 110, 150)]
    assert share(candles, (0, 0, "buy", 100, 1), (0, 1, "buy", 90, 1)) == pytest.approx(20 / 30)  # 10 stand


def test_a_position_of_a_pair_that_ended_is_worth_its_last_close():
    candles = market([100, (100, 100, 90, 95), (110, 150, 110, 120), None], [None] * 4, [1] * 4)
    assert share(candles, (0, 0, "buy", 100, 1), (0, 1, "buy", 90, 1)) == pytest.approx(30 / 50)


def test_a_close_at_a_pairs_end_may_be_booked_after_later_orders():
    candles = market([100, (104, 110, 103, 106), None, None], [100, 100, 100, 120])
    rows = (0, 0, "buy", 100, 1), (1, 2, "buy", 100, 1), (1, 3, "sell", 120, 1), (0, 1, "sell", 104, 1, "forced")
    assert share(candles, *rows) == 0.0
