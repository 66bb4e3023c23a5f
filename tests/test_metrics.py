import math
from dataclasses import replace

import numpy as np
import pytest
from builders import DAY, HOUR, START_MS, market, orders, window

from arena.accounting.booking import book
from arena.records import Trade
from arena.stats.metrics import (
    between,
    calmar,
    closed_sharpe,
    curve_figures,
    daily_equity,
    hidden_loss,
    max_drawdown,
    measure,
    pair_share,
    sharpe,
    sortino,
    top_share,
    trade_figures,
)

YEAR = math.sqrt(365)


def returns(*values):
    return np.array(values, dtype=np.float64)


def test_sharpe_is_mean_over_deviation_of_the_sample():
    # mean 0.01; deviations 0.01, -0.02, 0.01: variance 0.0006 / 2
    assert sharpe(returns(0.02, -0.01, 0.02)) == pytest.approx(0.01 / math.sqrt(0.0003) * YEAR, rel=1e-12)


def test_sharpe_of_a_losing_account_is_negative():
    assert sharpe(returns(-0.02, 0.01, -0.02)) == pytest.approx(-0.01 / math.sqrt(0.0003) * YEAR, rel=1e-12)


@pytest.mark.parametrize(
    "values",
    [(), (0.01,), (0.0, 0.0, 0.0), (0.01, 0.01), (0.1 + 0.2, 0.3)],
    ids=["none", "one day", "cash", "constant", "constant but for rounding"],
)
def test_sharpe_without_variation_is_nan(values):
    assert math.isnan(sharpe(returns(*values)))


def test_returns_that_vary_a_little_have_a_sharpe():
    assert sharpe(returns(1e-12, 2e-12)) == pytest.approx(1.5 / math.sqrt(0.5) * YEAR, rel=1e-9)


def test_sortino_counts_every_day_and_only_losses():
    # mean 0.01 / 4; downside sqrt((0.03**2 + 0.01**2) / 4)
    values = returns(0.04, -0.03, 0.01, -0.01)
    assert sortino(values) == pytest.approx(0.0025 / math.sqrt(0.001 / 4) * YEAR, rel=1e-12)


@pytest.mark.parametrize("values", [(), (0.01, 0.02), (0.0, 0.0)], ids=["none", "only winners", "cash"])
def test_sortino_without_a_losing_day_is_nan(values):
    assert math.isnan(sortino(returns(*values)))


@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        ([100, 120, 90, 110], 0.25),  # 120 to 90
        ([100, 80, 200, 150], 0.25),  # 200 to 150, and not 100 to 80
        ([100, 50, 25], 0.75),
        ([100, 101, 102], 0.0),
        ([100], 0.0),
    ],
)
def test_drawdown_is_the_largest_loss_from_a_peak(equity, expected):
    assert max_drawdown(np.array(equity, float)) == expected


def test_calmar_compounds_to_a_year():
    # 10 % in half a year are 21 % in a whole one
    assert calmar(0.10, 0.05, 365 / 2) == pytest.approx(0.21 / 0.05, rel=1e-12)
    assert calmar(-0.19, 0.2, 730) == pytest.approx(-0.1 / 0.2, rel=1e-12)


@pytest.mark.parametrize(
    "arguments", [(0.1, 0.0, 365), (0.1, 0.1, 0), (-1.0, 1.0, 365), (np.nan, 0.1, 365), (0.1, np.nan, 365)]
)
def test_calmar_without_a_drawdown_or_a_profit_that_compounds_is_nan(arguments):
    assert math.isnan(calmar(*arguments))


def test_every_argument_of_calmar_matters():
    assert (
        len(
            {
                calmar(*arguments)
                for arguments in [(0.1, 0.05, 100), (0.2, 0.05, 100), (0.1, 0.06, 100), (0.1, 0.05, 101)]
            }
        )
        == 4
    )


def hours(n, step_ms=HOUR):
    return START_MS + step_ms * np.arange(n, dtype=np.int64)


def test_daily_equity_is_taken_at_midnight():
    equity = np.arange(49.0)  # two days of hours and the midnight after
    assert list(daily_equity(hours(49), equity)) == [0, 24, 48]


def test_a_last_day_that_is_cut_short_ends_at_the_last_instant():
    assert list(daily_equity(hours(31), np.arange(31.0))) == [0, 24, 30]
    assert list(daily_equity(hours(5), np.arange(5.0))) == [0, 4]


def test_daily_equity_of_longer_candles():
    assert list(daily_equity(hours(13, 4 * HOUR), np.arange(13.0))) == [0, 6, 12]
    assert list(daily_equity(hours(4, DAY), np.arange(4.0))) == [0, 1, 2, 3]


def test_a_single_instant_is_no_day():
    assert list(daily_equity(hours(1), np.array([7.0]))) == [7.0]


def test_trade_figures_by_hand():
    trades = [Trade("A", 0, 1, profit, 100.0) for profit in (30.0, -10.0, 0.0, 20.0, -15.0)]
    assert trade_figures(trades) == {"trades": 5, "win_rate": 0.4, "profit_factor": 2.0}  # 2 of 5, and 50 over 25


def test_trade_figures_without_trades_or_losses_are_nan_and_not_zero():
    none = trade_figures([])
    assert none["trades"] == 0
    assert math.isnan(none["win_rate"])
    assert math.isnan(none["profit_factor"])
    winner = trade_figures([Trade("A", 0, 1, 5.0, 100.0)])
    assert winner["win_rate"] == 1
    assert math.isnan(winner["profit_factor"])
    assert trade_figures([Trade("A", 0, 1, -5.0, 100.0)]) == {"trades": 1, "win_rate": 0.0, "profit_factor": 0.0}


def won(*profits, pair="A"):
    return [Trade(pair, k, k + 1, profit, 100.0) for k, profit in enumerate(profits)]


def test_the_best_trades_share_is_of_the_gross_profit_of_winners():
    assert top_share(won(10, -40, 20, 5, 1, 0, 3, 1)) == pytest.approx(39 / 40)  # 20, 10, 5, 3 and 1 of the ones
    assert top_share(won(10, -40, 20, 5, 1, 0, 3, 1), n=2) == pytest.approx(30 / 40)


def test_with_as_many_winners_as_best_trades_they_have_it_all():
    assert top_share(won(1, 2, 3, 4, 5, -100)) == 1.0
    assert top_share(won(1, 1, 1, 1, 1, 1)) == pytest.approx(5 / 6)


def test_a_pairs_profit_is_the_sum_of_its_trades():
    trades = won(30, -10) + won(5, 5, pair="B") + won(50, -60, pair="C")
    assert pair_share(trades) == pytest.approx(20 / 30)  # A made 20, B 10; C lost and does not count
    assert pair_share(won(30, pair="B")) == 1.0


def test_without_a_winner_no_share_is_defined():
    assert math.isnan(top_share([])) and math.isnan(top_share(won(-1, 0)))
    assert math.isnan(pair_share([])) and math.isnan(pair_share(won(5, -5) + won(-1, pair="B")))


DAILY = market([100, 100, 110, 99, 99, 132], step_ms=DAY)
"""One buys a single unit on day 0 with a wallet of 100, so that the account is the price."""


def account(*rows, candles=DAILY, step_ms=DAY, fee=0.0, wallet=100.0):
    return book(candles, orders(*rows, step_ms=step_ms), wallet=wallet, fee=fee, slots=0)


def test_a_whole_book_by_hand():
    made = account((0, 0, "buy", 100, 1), (0, 3, "sell", 99, 0.5), (0, 5, "sell", 132, 0.5))
    # equity at the opens: 100, 100, 110, 99, then 49.5 in cash and half a unit: 99, 115.5
    days = returns(0.0, 0.1, -0.1, 0.0, 115.5 / 99 - 1)
    mean = days.mean()
    deviation = math.sqrt(sum((d - mean) ** 2 for d in days) / 4)
    found = measure(DAILY, made, window(0, 5, step_ms=DAY), last=True)
    assert found.sharpe == pytest.approx(mean / deviation * YEAR, rel=1e-12)
    assert found.sortino == pytest.approx(mean / math.sqrt(0.01 / 5) * YEAR, rel=1e-12)
    assert found.profit == pytest.approx(0.155, rel=1e-12)
    assert found.profit_abs == pytest.approx(15.5, rel=1e-12)
    assert found.max_drawdown == pytest.approx(0.1, rel=1e-12)
    assert found.calmar == pytest.approx((1.155 ** (365 / 5) - 1) / 0.1, rel=1e-12)
    assert (found.trades, found.win_rate) == (1, 1.0)
    assert found.exposure == 1.0  # the day that only begins at the end does not count
    assert found.avg_position == pytest.approx((3 * 1 + 0.5 + 0.5) / 5, rel=1e-12)
    # traded 100, 49.5 and 66 in 5 days, over the mean of six marks
    assert found.turnover == pytest.approx(215.5 / ((100 + 100 + 110 + 99 + 99 + 115.5) / 6) / (5 / 365), rel=1e-12)
    assert found.fees == 0.0


def test_days_without_a_position_count_for_exposure_and_not_for_its_size():
    made = account((0, 2, "buy", 110, 0.5), (0, 4, "sell", 99, 0.5))  # 55 of 100, then 49.5 of 94.5
    found = measure(DAILY, made, window(0, 5, step_ms=DAY), last=True)
    assert found.exposure == pytest.approx(2 / 5)
    assert found.avg_position == pytest.approx((55 / 100 + 49.5 / 94.5) / 2, rel=1e-12)


def test_fees_are_a_fraction_of_the_equity_at_the_start():
    made = account((0, 0, "buy", 100, 0.5), (0, 2, "sell", 110, 0.5), fee=0.01)
    assert measure(DAILY, made, window(0, 5, step_ms=DAY), last=True).fees == pytest.approx((0.5 + 0.55) / 100)
    # at the second window's start: 100 - 50.5 + 50 = 99.5 before that day
    assert measure(DAILY, made, window(1, 5, step_ms=DAY), last=True).fees == pytest.approx(0.55 / 99.5)


def test_a_drawdown_between_two_opens_is_seen_at_the_close():
    candles = market([100, (100, 100, 50, 60), 100], step_ms=DAY)
    made = account((0, 0, "buy", 100, 1), candles=candles)
    found = measure(candles, made, window(0, 2, step_ms=DAY), last=True)
    assert found.max_drawdown == pytest.approx(0.4)
    assert found.profit == 0.0


def test_the_last_candles_close_lies_after_the_end_and_does_not_count():
    candles = market([100, 100, (100, 100, 1, 1)], step_ms=DAY)
    made = account((0, 0, "buy", 100, 1), candles=candles)
    found = measure(candles, made, window(0, 2, step_ms=DAY), last=True)
    assert found.max_drawdown == 0.0
    assert found.profit == 0.0


def test_without_a_trade_nothing_is_claimed():
    found = measure(DAILY, account(), window(0, 5, step_ms=DAY), last=True)
    assert (found.trades, found.profit, found.exposure, found.turnover, found.fees, found.max_drawdown) == (
        0,
        0,
        0,
        0,
        0,
        0,
    )
    for name in ("sharpe", "sortino", "calmar", "win_rate", "profit_factor", "avg_position"):
        assert math.isnan(getattr(found, name)), name


def test_a_trade_at_an_inner_border_belongs_to_the_next_window():
    made = account((0, 0, "buy", 100, 1), (0, 3, "sell", 99, 1))
    before = measure(DAILY, made, window(0, 3, step_ms=DAY), last=False)
    after = measure(DAILY, made, window(3, 5, step_ms=DAY), last=True)
    assert (before.trades, after.trades) == (0, 1)
    # 100 for the entry in the first window; 99 for the exit in the second
    assert before.turnover == pytest.approx(100 / ((100 + 100 + 110 + 99) / 4) / (3 / 365), rel=1e-12)
    assert after.turnover == pytest.approx(99 / 99 / (2 / 365), rel=1e-12)
    assert before.profit == pytest.approx(-0.01)  # valued at the border's open
    assert after.profit == 0.0


def test_a_trade_at_the_very_end_belongs_to_the_last_window():
    made = account((0, 3, "buy", 99, 1), (0, 5, "sell", 132, 1))
    assert measure(DAILY, made, window(3, 5, step_ms=DAY), last=True).trades == 1
    assert measure(DAILY, made, window(3, 5, step_ms=DAY), last=False).trades == 0


def test_the_products_of_window_profits_are_the_whole():
    made = account(
        (0, 0, "buy", 100, 0.9), (0, 2, "sell", 110, 0.5), (0, 3, "buy", 99, 0.3), (0, 5, "sell", 132, 0.2), fee=0.001
    )
    borders = [0, 1, 3, 5]
    windows = [
        measure(DAILY, made, window(a, b, step_ms=DAY), last=b == 5) for a, b in zip(borders, borders[1:], strict=False)
    ]
    whole = measure(DAILY, made, window(0, 5, step_ms=DAY), last=True)
    assert math.prod(1 + w.profit for w in windows) == pytest.approx(1 + whole.profit, rel=1e-12)
    assert sum(w.profit_abs for w in windows) == pytest.approx(whole.profit_abs, rel=1e-12)
    starts = [100.0, *(made.equity_open[b] for b in borders[1:-1])]
    assert sum(w.fees * start for w, start in zip(windows, starts, strict=True)) == pytest.approx(
        made.fees.sum(), rel=1e-12
    )


def test_a_window_beyond_the_last_candle_ends_there():
    assert between(DAILY, window(2, 9, step_ms=DAY)) == slice(2, 6)
    assert between(DAILY, window(2, 4, step_ms=DAY)) == slice(2, 5)
    assert between(DAILY, window(-3, 4, step_ms=DAY)) == slice(0, 5)


def test_hourly_candles_give_daily_returns():
    candles = market([100 + k for k in range(49)])
    made = account((0, 0, "buy", 100, 1), candles=candles, step_ms=HOUR)
    found = measure(candles, made, window(0, 48), last=True)
    days = returns(124 / 100 - 1, 148 / 124 - 1)
    assert found.sharpe == pytest.approx(days.mean() / abs(days[0] - days[1]) * math.sqrt(2) * YEAR, rel=1e-12)


def test_every_mark_of_a_curve_matters():
    """Opens decide return and Sharpe; closes only the drawdown."""
    opens, closes, span = np.array([100.0, 90, 120, 110]), np.array([95.0, 100, 130]), slice(0, 4)
    base = curve_figures(DAILY, opens, closes, span)
    assert base["max_drawdown"] == pytest.approx(20 / 130)
    other = curve_figures(DAILY, opens, np.array([95.0, 100, 120]), span)
    assert {key for key in base if base[key] != other[key]} == {"max_drawdown", "calmar"}
    other = curve_figures(DAILY, np.array([100.0, 90, 120, 111]), closes, span)
    assert {key for key in base if base[key] != other[key]} == set(base)
    slower = replace(DAILY, open_ms=START_MS + 2 * DAY * np.arange(6))
    assert curve_figures(slower, opens, closes, span)["calmar"] < base["calmar"]  # the same profit in twice the time


def hidden(candles, *rows, wallet=100.0):
    return hidden_loss(candles, account(*rows, candles=candles, wallet=wallet))


FALL = market([100, 60, 120, 120, 120], step_ms=DAY)


def test_a_loss_that_was_held_until_it_was_gone_is_hidden():
    # 100 to 80; closed trades won
    assert hidden(FALL, (0, 0, "buy", 100, 0.5), (0, 3, "sell", 120, 0.5)) == pytest.approx(0.2)


def test_a_loss_between_two_opens_is_hidden_as_well():
    candles = market([100, (100, 100, 50, 60), 120, 120], step_ms=DAY)
    assert hidden(candles, (0, 0, "buy", 100, 0.5), (0, 2, "sell", 120, 0.5)) == pytest.approx(0.2)


def test_a_loss_that_was_realised_is_not_hidden():
    assert hidden(FALL, (0, 0, "buy", 100, 0.5), (0, 1, "sell", 60, 0.5)) == 0.0
    # half of it is: 100 to 80 by the account, 100 to 90 by the trade that closed
    candles = market([100, 60, 80, 80, 80], step_ms=DAY)
    assert hidden(candles, (0, 0, "buy", 100, 0.5), (0, 2, "sell", 80, 0.5)) == pytest.approx(0.2 - 0.1)
    assert hidden(candles, (0, 0, "buy", 100, 0.5), (0, 2, "sell", 80, 0.5), wallet=200.0) == pytest.approx(0.1 - 0.05)


def test_the_drawdown_of_closed_trades_begins_at_their_own_peak():
    # closed: 100, 150, 120; the account: 150 to 105 in between
    candles = market([100, 150, 105, 120, 120, 120], step_ms=DAY)
    rows = (0, 0, "buy", 100, 1), (0, 1, "sell", 150, 1), (0, 1, "buy", 150, 1), (0, 3, "sell", 120, 1)
    assert hidden(candles, *rows) == pytest.approx(45 / 150 - 30 / 150)


def test_trades_that_close_in_one_candle_close_together():
    candles = market([100, 50, 50, 50], [100, 150, 150, 150], step_ms=DAY)
    rows = (0, 0, "buy", 100, 0.5), (1, 0, "buy", 100, 0.5), (0, 1, "sell", 50, 0.5), (1, 1, "sell", 150, 0.5)
    assert hidden(candles, *rows) == 0.0
    # then 5 are lost and 20 in between: closed trades show 5 %, and not the 25 % of the one that lost
    candles = market([100, 50, 50, 50, 50], [100, 150, 110, 140, 140], step_ms=DAY)
    again = (1, 1, "buy", 150, 1 / 2), (1, 3, "sell", 140, 1 / 2)
    assert hidden(candles, *rows, *again) == pytest.approx(20 / 100 - 5 / 100)


def test_closed_trades_may_overstate_a_drawdown_and_then_nothing_is_hidden():
    # the loss of 25 is closed a day before the gain of 25; the account never lost
    candles = market([100, 50, 50, 50], [100, 150, 150, 150], step_ms=DAY)
    rows = (0, 0, "buy", 100, 0.5), (1, 0, "buy", 100, 0.5), (0, 1, "sell", 50, 0.5), (1, 2, "sell", 150, 0.5)
    assert hidden(candles, *rows) == 0.0


def test_what_never_closed_is_hidden_and_what_the_end_closed_too():
    fallen = market([100, 60, 60], step_ms=DAY)
    assert hidden(fallen, (0, 0, "buy", 100, 0.5)) == pytest.approx(0.2)
    assert hidden(fallen, (0, 0, "buy", 100, 0.5), (0, 2, "sell", 60, 0.5, "forced")) == pytest.approx(0.2)
    ended = market([100, 60, None, None], [1, 1, 1, 1], step_ms=DAY)
    assert hidden(ended, (0, 0, "buy", 100, 0.5), (0, 1, "sell", 60, 0.5, "forced")) == pytest.approx(0.2)
    assert hidden(ended, (0, 0, "buy", 100, 0.5), (1, 0, "buy", 1, 1), (1, 2, "sell", 1, 1)) == pytest.approx(0.2)


def test_an_account_that_did_nothing_hides_nothing():
    assert hidden(market([100, 60, 60], [None] * 3, step_ms=DAY)) == 0.0


def test_the_closed_figure_is_freqtrades():
    from datetime import datetime

    import pandas as pd
    from freqtrade.data.metrics import calculate_sharpe

    rng = np.random.default_rng(1)
    for n in (1, 2, 40):
        profits = rng.normal(3, 20, n)
        first, last = datetime(2021, 1, 1), datetime(2021, 4, 11)
        wanted = calculate_sharpe(pd.DataFrame({"profit_abs": profits}), first, last, 1000.0)
        assert closed_sharpe(profits, 1000.0, 100) == pytest.approx(wanted, rel=1e-12)
    assert closed_sharpe(np.array([]), 1000.0, 100) == 0.0
    assert closed_sharpe(profits, 1000.0, 0) == closed_sharpe(profits, 1000.0, 1)
