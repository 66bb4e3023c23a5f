"""A run ends when what was agreed is spent, and says which of it."""

import math

import pytest

from loop.budget import Budget, Spent, left, reason
from loop.protocol import Usage


@pytest.mark.parametrize(
    ("budget", "before", "after", "words"),
    [
        (Budget(rounds=8), Spent(rounds=7), Spent(rounds=8), "8 rounds were played"),
        (Budget(minutes=5), Spent(minutes=4.9), Spent(minutes=5.0), "5 minutes are over"),
        (Budget(patience=3), Spent(since_best=2), Spent(since_best=3), "3 rounds without a new best"),
        (
            Budget(max_usd=1),
            Spent(usage=Usage(9, usd=0.99)),
            Spent(usage=Usage(9, usd=1.0)),
            "1.00 USD of 1.00 are spent",
        ),
        (
            Budget(max_tokens=100),
            Spent(usage=Usage(1, 50, 49)),
            Spent(usage=Usage(1, 50, 50)),
            "100 tokens of 100 are spent",
        ),
        (Budget(stop_at="accepted"), Spent(), Spent(accepted="Alpha"), "Alpha is ACCEPTED"),
    ],
)
def test_a_limit_ends_the_run_when_it_is_reached(budget, before, after, words):
    assert reason(budget, before) == ""
    assert reason(budget, after) == words


def test_an_unknown_price_ends_a_run_whose_money_is_limited_and_no_other():
    spent = Spent(usage=Usage(1, 10, 10) + Usage(1, usd=math.nan))
    assert "price is unknown, so --max-usd cannot be kept" in reason(Budget(max_usd=1), spent)
    assert reason(Budget(max_tokens=100), spent) == ""
    assert reason(Budget(), spent) == ""


def test_unknown_tokens_end_a_run_whose_tokens_are_limited_unless_no_model_is_asked():
    assert "does not tell its tokens" in reason(Budget(max_tokens=100), Spent(usage=Usage(1)))
    assert reason(Budget(max_tokens=100), Spent(rounds=9)) == ""


def test_without_limits_a_run_goes_on():
    assert reason(Budget(), Spent(10**6, 10**6, 10**6, Usage(10**6, 10**9, 10**9, 10**6), "Alpha")) == ""


def test_the_time_left_is_that_of_the_nearer_limit():
    assert left(Budget(rounds=10), Spent(rounds=2, minutes=4)) == "about 16 min left"
    assert left(Budget(rounds=10, minutes=5), Spent(rounds=2, minutes=4)) == "about 60 s left"
    assert left(Budget(rounds=10), Spent()) == left(Budget(), Spent(rounds=3, minutes=3)) == ""
