import math

import numpy as np
import pytest
from builders import DAY, market, orders, window

from arena.accounting.booking import book
from arena.market.benchmark import hold, hold_pair, hold_returns
from arena.stats.metrics import measure, sharpe

WHOLE = window(0, 3, step_ms=DAY)


def test_one_pair_is_held_from_open_to_open():
    candles = market([(100, 120, 90, 115), (110, 130, 80, 90), (95, 99, 94, 95), (121, 150, 60, 70)], step_ms=DAY)
    found = hold(candles, WHOLE, 0.0)
    # 100 to 121; what the last candle does after its open does not count
    assert found.profit == pytest.approx(0.21, rel=1e-12)
    assert found.max_drawdown == pytest.approx(1 - 90 / 115, rel=1e-12)  # from a close to the next
    days = np.array([1.1, 95 / 110, 121 / 95]) - 1
    assert found.sharpe == pytest.approx(days.mean() / days.std(ddof=1) * math.sqrt(365), rel=1e-12)


def test_the_daily_returns_are_those_of_the_figures():
    candles = market([(100, 120, 90, 115), (110, 130, 80, 90), (95, 99, 94, 95), (121, 150, 60, 70)], step_ms=DAY)
    found = hold_returns(candles, WHOLE, 0.01)
    assert found == pytest.approx(np.array([110 / (100 * 1.01), 95 / 110, 121 * 0.99 / 95]) - 1, rel=1e-12)
    assert sharpe(found) == pytest.approx(hold(candles, WHOLE, 0.01).sharpe, rel=1e-12)


def test_the_fee_is_paid_at_both_ends():
    candles = market([100, 110, 120, 130], step_ms=DAY)
    assert hold(candles, WHOLE, 0.01).profit == pytest.approx(130 * 0.99 / (100 * 1.01) - 1, rel=1e-12)
    assert hold_pair(candles, 0, WHOLE, 0.01) == pytest.approx(130 * 0.99 / (100 * 1.01) - 1, rel=1e-12)


def test_every_pair_gets_the_same_money():
    candles = market([100, 100, 100, 150], [10, 10, 10, 5], [1, 1, 1, 4], step_ms=DAY)
    assert hold(candles, WHOLE, 0.0).profit == pytest.approx((1.5 + 0.5 + 4) / 3 - 1, rel=1e-12)
    assert [hold_pair(candles, p, WHOLE, 0.0) for p in range(3)] == pytest.approx([0.5, -0.5, 3.0], rel=1e-12)


def test_the_share_of_a_pair_that_lists_late_waits_as_cash():
    candles = market([100, 100, 100, 100], [None, None, (10, 20, 9, 12), 15], step_ms=DAY)
    found = hold(candles, WHOLE, 0.01)
    late, flat = 15 * 0.99 / (10 * 1.01), 0.99 / 1.01
    assert found.profit == pytest.approx((late + flat) / 2 - 1, rel=1e-12)
    # until then only the first pair's fee is lost
    assert found.max_drawdown == pytest.approx(1 - (1 / 1.01 + 1) / 2, rel=1e-12)
    assert hold_pair(candles, 1, WHOLE, 0.01) == pytest.approx(late - 1, rel=1e-12)


def test_a_pair_that_ends_early_is_worth_its_last_close():
    candles = market([100, 100, 100, 100], [10, (11, 13, 8, 12), None, None], step_ms=DAY)
    found = hold(candles, WHOLE, 0.01)
    gone, flat = 12 * 0.99 / (10 * 1.01), 0.99 / 1.01
    assert found.profit == pytest.approx((gone + flat) / 2 - 1, rel=1e-12)
    assert hold_pair(candles, 1, WHOLE, 0.01) == pytest.approx(gone - 1, rel=1e-12)


def test_the_last_candle_of_a_pair_that_ends_early_begins_at_its_open():
    """Its close is not known at its open: 10, 5, then 12 for good."""
    candles = market([10, (5, 13, 4, 12), None, None], step_ms=DAY)
    days = np.array([-0.5, 12 / 5 - 1, 0.0])
    found = hold(candles, WHOLE, 0.0)
    assert found.sharpe == pytest.approx(days.mean() / days.std(ddof=1) * math.sqrt(365), rel=1e-12)
    assert found.max_drawdown == 0.5


def test_a_pair_without_a_candle_in_the_window_stays_cash_and_has_no_profit():
    candles = market([100, 100, 110, 120], [None, None, None, 10], step_ms=DAY)
    early = window(0, 2, step_ms=DAY)
    assert hold(candles, early, 0.0).profit == pytest.approx(0.05, rel=1e-12)
    assert math.isnan(hold_pair(candles, 1, early, 0.0))


def test_each_window_is_bought_and_sold_anew():
    candles = market([100, 120, 90, 180], step_ms=DAY)
    first, second = window(0, 1, step_ms=DAY), window(1, 3, step_ms=DAY)
    assert hold(candles, first, 0.01).profit == pytest.approx(120 * 0.99 / (100 * 1.01) - 1, rel=1e-12)
    assert hold(candles, second, 0.01).profit == pytest.approx(180 * 0.99 / (120 * 1.01) - 1, rel=1e-12)
    assert hold_pair(candles, 0, second, 0.01) == hold(candles, second, 0.01).profit


def test_holding_claims_no_trades():
    found = hold(market([100, 110, 120, 130], step_ms=DAY), WHOLE, 0.0)
    assert found.trades == 0
    assert math.isnan(found.win_rate)
    assert math.isnan(found.exposure)


def test_a_strategy_that_buys_and_holds_has_the_benchmarks_figures():
    """The same wallet, fee and marks: what the benchmark says is what booking says of its orders."""
    fee = 0.001
    a = [(100, 120, 90, 115), (110, 130, 80, 90), (95, 99, 94, 95), (121, 150, 60, 70)]
    b = [None, (20, 30, 10, 25), (19, 26, 15, 21), (22, 40, 21, 30)]
    candles = market(a, b, step_ms=DAY)
    share = 500 / (1 + fee)
    rows = orders(
        (0, 0, "buy", 100, share / 100),
        (1, 1, "buy", 20, share / 20),
        (0, 3, "sell", 121, share / 100),
        (1, 3, "sell", 22, share / 20),
        step_ms=DAY,
    )
    own = measure(candles, book(candles, rows, wallet=1000.0, fee=fee, slots=2), WHOLE, last=True)
    benchmark = hold(candles, WHOLE, fee)
    for name in ("sharpe", "sortino", "calmar", "profit", "max_drawdown"):
        assert getattr(benchmark, name) == pytest.approx(getattr(own, name), rel=1e-9), name
