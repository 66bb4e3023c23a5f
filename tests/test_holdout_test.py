"""What a holdout can say, and what it says: the level holds, more openings ask for more, and silence is no verdict."""

import math

import numpy as np
import pytest

from arena.stats import holdout_test, significance
from arena.stats.holdout_test import CONFIRMED, OPEN, REJECTED, power, prospect, verdict
from arena.stats.metrics import sharpe

YEAR = 365


def days(sharpe_a_year, n=YEAR, seed=1):
    """Normal days whose sample Sharpe ratio is exactly this."""
    drawn = np.random.default_rng(seed).standard_normal(n)
    scores = (drawn - drawn.mean()) / drawn.std(ddof=1)
    return 0.01 * (scores + sharpe_a_year / np.sqrt(365))


def test_the_level_is_shared_by_all_openings():
    assert prospect(YEAR, 1).level == holdout_test.ALPHA
    assert prospect(YEAR, 4).level == holdout_test.ALPHA / 4
    assert prospect(YEAR, 0).level == holdout_test.ALPHA  # before the first
    assert prospect(YEAR, 4).detectable > prospect(YEAR, 1).detectable > prospect(4 * YEAR, 1).detectable


def test_what_is_detectable_is_found_with_its_power():
    for openings in (1, 3, 20):
        seen = prospect(YEAR, openings)
        assert power(seen.detectable, seen) == pytest.approx(holdout_test.POWER, abs=1e-9)
    assert power(0.0, prospect(YEAR, 1)) == pytest.approx(holdout_test.ALPHA, abs=1e-9)


def test_a_holdout_of_a_few_days_detects_nothing():
    seen = prospect(significance.MIN_DAYS - 1, 1)
    assert math.isnan(seen.detectable) and math.isnan(power(2.0, seen))
    assert verdict(2.0, days(5.0, n=20), seen)[0] == OPEN
    assert math.isnan(power(float("nan"), prospect(YEAR, 1)))


def test_a_clear_gain_is_confirmed_and_the_same_gain_among_many_openings_is_not():
    found, why, above = verdict(2.0, days(2.2), prospect(YEAR, 1))
    assert found == CONFIRMED and above > 0.95 and "Sharpe 2.20" in why
    assert verdict(2.0, days(2.2), prospect(YEAR, 50))[0] == OPEN


def test_a_loss_refutes_a_strong_claim_and_not_a_weak_one():
    found, why, _ = verdict(2.0, days(-0.3), prospect(YEAR, 1))
    assert found == REJECTED and "were it as good as in the search" in why
    assert verdict(0.5, days(-0.3), prospect(YEAR, 1))[0] == OPEN
    assert verdict(math.nan, days(-0.3), prospect(YEAR, 1))[0] == OPEN


def test_less_than_was_claimed_is_no_refutation_as_long_as_it_is_a_gain():
    assert verdict(4.0, days(0.4), prospect(YEAR, 1))[0] == OPEN


def test_what_failed_a_check_is_rejected_whatever_it_earned():
    found, why, above = verdict(2.0, days(6.0), prospect(YEAR, 1), "causality: …")
    assert (found, why) == (REJECTED, "causality: …") and math.isnan(above)


def test_an_account_that_does_not_move_is_no_verdict():
    assert verdict(2.0, np.zeros(YEAR), prospect(YEAR, 1)) == (
        OPEN,
        "its account did not move there",
        pytest.approx(math.nan, nan_ok=True),
    )


@pytest.mark.slow
@pytest.mark.parametrize("openings", [1, 5])
def test_without_skill_any_of_all_openings_is_confirmed_no_more_often_than_the_level(openings):
    rng = np.random.default_rng(7)
    seen, n = prospect(YEAR, openings), 2000
    wrong = sum(
        any(verdict(1.0, 0.01 * rng.standard_t(4, YEAR), seen)[0] == CONFIRMED for _ in range(openings))
        for _ in range(n)
    )
    assert wrong / n == pytest.approx(holdout_test.ALPHA, abs=0.015)


def test_a_strategy_as_good_as_in_the_search_is_rarely_rejected():
    rng = np.random.default_rng(8)
    claimed = 1.5
    found = [
        verdict(claimed, 0.01 * (rng.standard_normal(YEAR) + claimed / np.sqrt(365)), prospect(YEAR, 1))[0]
        for _ in range(1000)
    ]
    assert found.count(REJECTED) / len(found) < holdout_test.ALPHA + 0.02
    assert found.count(CONFIRMED) / len(found) == pytest.approx(power(claimed, prospect(YEAR, 1)), abs=0.05)


def test_the_days_of_this_test_have_the_sharpe_that_they_say():
    assert sharpe(days(1.25)) == pytest.approx(1.25)
