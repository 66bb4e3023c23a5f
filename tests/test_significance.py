import numpy as np
import pytest

from arena.errors import SampleError
from arena.metrics import sharpe
from arena.significance import MIN_DAYS, sharpe_interval

RETURNS = np.random.default_rng(0).normal(0.001, 0.01, 500)


def interval(returns=RETURNS, seed=1, **options):
    return sharpe_interval(returns, np.random.default_rng(seed), **options)


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        (RETURNS[: MIN_DAYS - 1], r"at least 30 daily returns, got shape \(29,\)"),
        (RETURNS[:0], r"at least 30 daily returns, got shape \(0,\)"),
        (RETURNS.reshape(250, 2), r"one row of at least 30 daily returns, got shape \(250, 2\)"),
        (np.append(RETURNS, [np.nan, np.inf]), "2 nan or inf"),
        (np.full(500, 0.001), "do not vary"),
        (np.zeros(500), "do not vary"),
    ],
    ids=["too short", "empty", "two rows", "nan and inf", "constant", "zero"],
)
def test_unusable_returns_are_refused(returns, message):
    with pytest.raises(SampleError, match=message):
        interval(returns)


def test_the_fewest_days_are_enough():
    low, high = interval(RETURNS[:MIN_DAYS])
    assert low < high


def test_the_same_generator_gives_the_same_interval():
    assert interval() == interval()


def test_the_estimate_lies_inside():
    low, high = interval()
    assert low < sharpe(RETURNS) < high


def test_every_argument_changes_the_result():
    results = [interval(), interval(RETURNS[1:]), interval(seed=2), interval(level=0.9)]
    assert len(set(results)) == 4


def test_a_higher_level_is_wider():
    half, most = interval(level=0.5), interval(level=0.99)
    assert most[0] < half[0] < half[1] < most[1]


def test_fewer_days_are_wider():
    few, many = interval(RETURNS[:60]), interval()
    assert few[1] - few[0] > 1.5 * (many[1] - many[0])


def test_the_scale_of_the_returns_does_not_matter():
    assert interval(RETURNS * 3) == pytest.approx(interval(), rel=1e-9)


def test_days_that_follow_each_other_are_drawn_in_blocks():
    """Returns that come in long runs say less than as many that do not depend on each other."""
    rng = np.random.default_rng(3)
    shocks = rng.normal(size=600)
    runs = np.zeros(600)
    for day in range(1, 600):
        runs[day] = 0.9 * runs[day - 1] + shocks[day]
    clustered, shuffled = interval(runs), interval(rng.permutation(runs))
    assert clustered[1] - clustered[0] > 1.5 * (shuffled[1] - shuffled[0])


def test_a_strategy_that_hardly_trades_has_an_interval():
    returns = np.zeros(400)
    returns[[5, 300]] = 0.05, -0.02
    low, high = interval(returns)
    assert np.isfinite([low, high]).all()
    assert low < high


def test_ninety_five_per_cent_of_the_intervals_hold_the_truth():
    """Normal returns with a Sharpe ratio of 1 a year. The percentile interval of 250 days covers a little less than it says."""
    rng, truth = np.random.default_rng(4), 1 / np.sqrt(365)
    held = 0
    for _ in range(120):
        low, high = sharpe_interval(rng.normal(truth * 0.01, 0.01, 250), rng)
        held += low <= 1 <= high
    assert held / 120 == pytest.approx(0.95, abs=0.05)
