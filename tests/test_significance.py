import numpy as np
import pytest

from arena.errors import SampleError
from arena.stats.metrics import DAYS_A_YEAR, sharpe
from arena.stats.significance import (
    MIN_DAYS,
    Moments,
    block_length,
    daily_sharpes,
    minimum_detectable_sharpe,
    moments,
    power,
    probabilistic_sharpe,
    probability,
    sharpe_interval,
    stretches,
)

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
@pytest.mark.parametrize("figure", [interval, probabilistic_sharpe, moments])
def test_unusable_returns_are_refused(figure, returns, message):
    with pytest.raises(SampleError, match=message):
        figure(returns)


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


@pytest.mark.slow
def test_ninety_five_per_cent_of_the_intervals_hold_the_truth():
    """
    Normal returns with a Sharpe ratio of 1 a year. The percentile interval of 250 days covers a little less than it
    says.
    """
    rng, truth = np.random.default_rng(4), 1 / np.sqrt(365)
    held = 0
    for _ in range(120):
        low, high = sharpe_interval(rng.normal(truth * 0.01, 0.01, 250), rng)
        held += low <= 1 <= high
    assert held / 120 == pytest.approx(0.95, abs=0.05)


def test_a_block_is_a_day_at_least_and_of_several_series_the_mean():
    rng = np.random.default_rng(5)
    noise, walk = np.random.default_rng(0).normal(0.001, 0.01, 1100), np.cumsum(rng.normal(size=1100))
    assert block_length(noise) == 1  # the estimate is 0.35
    assert block_length(walk) > 10
    assert block_length(np.column_stack([walk, noise])) == pytest.approx((block_length(walk) + 1) / 2)


@pytest.mark.parametrize(
    ("skew", "kurtosis", "published"), [(0, 3, 0.982), (-2.448, 10.164, 0.913)], ids=["as if normal", "as they are"]
)
def test_probability_of_the_papers_hedge_fund(skew, kurtosis, published):
    """
    Bailey and Lopez de Prado (2012), section 4: 24 months, mean 0.036, deviation 0.079, a Sharpe ratio of 1.59 a year.
    """
    assert probability(Moments(24, 0.036 / 0.079, skew, kurtosis), 0.0) == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize(
    ("periods", "skew", "kurtosis", "years"),
    [(250, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
    ids=["daily", "weekly", "monthly", "monthly with a left tail"],
)
def test_track_lengths_of_the_paper(periods, skew, kurtosis, years):
    """
    Bailey and Lopez de Prado (2012), section 5: years until a Sharpe ratio of 2 is above 1 with a confidence of 95 %.
    """
    root = np.sqrt(periods)
    after = Moments(round(years * periods + 1), 2 / root, skew, kurtosis)
    assert probability(after, 1 / root) == pytest.approx(0.95, abs=5e-3)


def test_moments_are_those_of_the_sample_and_the_kurtosis_is_raw():
    """Four fifths of the days at 0, one fifth at 1: by hand."""
    of = moments(np.tile([0.0, 0.0, 0.0, 0.0, 1.0], 20))
    assert of.days == 100
    assert of.sharpe == pytest.approx(0.2 / (0.4 * np.sqrt(100 / 99)))
    assert of.skew == pytest.approx((0.8 * -(0.2**3) + 0.2 * 0.8**3) / 0.4**3)
    assert of.kurtosis == pytest.approx((0.8 * 0.2**4 + 0.2 * 0.8**4) / 0.4**4)
    assert moments(np.random.default_rng(6).normal(size=50_000)).kurtosis == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.normal(0, 0.01, 250),
        lambda rng: 0.01 * rng.standard_t(4, 250),
        lambda rng: rng.exponential(0.01, 250) - 0.01,
    ],
    ids=["normal", "fat tails", "skewed"],
)
def test_without_skill_one_in_twenty_has_a_probability_above_95_per_cent(draw):
    rng = np.random.default_rng(7)
    assert np.mean([probabilistic_sharpe(draw(rng)) > 0.95 for _ in range(2000)]) == pytest.approx(0.05, abs=0.015)


def test_sharpe_ratios_per_day_of_a_table_are_those_of_the_metrics():
    rows = np.vstack([RETURNS, -2 * RETURNS, np.zeros(500), np.full(500, 0.001), np.append(RETURNS[1:], np.nan)])
    expected = [moments(RETURNS).sharpe, -moments(RETURNS).sharpe, np.nan, np.nan, np.nan]
    assert daily_sharpes(rows) == pytest.approx(expected, nan_ok=True)
    assert daily_sharpes(rows)[0] * np.sqrt(DAYS_A_YEAR) == pytest.approx(sharpe(RETURNS))
    assert np.isnan(daily_sharpes(rows[:, :1])).all()


def test_the_probability_is_a_half_where_the_benchmark_is_the_estimate():
    assert probabilistic_sharpe(RETURNS, moments(RETURNS).sharpe) == pytest.approx(0.5)


def test_an_undefined_benchmark_gives_no_probability():
    assert np.isnan(probabilistic_sharpe(RETURNS, np.nan))


def test_moments_that_leave_no_variance_give_no_probability():
    """
    Two values alone: the kurtosis is the squared skew plus one; at a Sharpe ratio of two over the skew nothing is left.
    """
    assert np.isnan(probability(Moments(100, 1.0, 2.0, 5.0), 0.0))


def test_left_tails_and_fat_ones_make_less_sure():
    plain = probability(Moments(500, 0.1, 0, 3), 0.0)
    assert probability(Moments(500, 0.1, -2, 6), 0.0) < probability(Moments(500, 0.1, -2, 5), 0.0) < plain
    assert probability(Moments(500, 0.1, 2, 5), 0.0) > plain


def test_every_parameter_of_the_probability_changes_it():
    assert (
        len({probabilistic_sharpe(RETURNS), probabilistic_sharpe(RETURNS[1:]), probabilistic_sharpe(RETURNS, 0.01)})
        == 3
    )


def test_the_detectable_sharpe_ratio_is_found_with_its_power():
    """Three years: 1.44. The probabilistic Sharpe ratio is the test."""
    rng, looked_for = np.random.default_rng(8), minimum_detectable_sharpe(1095)
    assert looked_for == pytest.approx(1.4383, abs=1e-4)
    mean = looked_for / np.sqrt(DAYS_A_YEAR)
    found = np.mean([probabilistic_sharpe(rng.normal(mean, 1, 1095)) > 0.95 for _ in range(2000)])
    assert found == pytest.approx(0.8, abs=0.03)


def test_more_days_find_less_and_more_certainty_needs_more():
    base = minimum_detectable_sharpe(365)
    assert minimum_detectable_sharpe(730) < base
    assert minimum_detectable_sharpe(365, alpha=0.01) > base
    assert minimum_detectable_sharpe(365, power=0.9) > base


def test_a_detectable_sharpe_ratio_that_does_not_exist_is_refused():
    with pytest.raises(SampleError, match="at least 30 days, got 29"):
        minimum_detectable_sharpe(MIN_DAYS - 1)
    with pytest.raises(SampleError, match="however high"):
        minimum_detectable_sharpe(MIN_DAYS, alpha=1e-10, power=0.99999)
    for alpha, strength in [(0.0, 0.8), (0.8, 0.8), (0.05, 1.0), (np.nan, 0.8)]:
        with pytest.raises(ValueError, match="0 < alpha < power < 1"):
            minimum_detectable_sharpe(365, alpha=alpha, power=strength)


# power and stretches


@pytest.mark.parametrize(("n_days", "alpha"), [(365, 0.05), (1095, 0.05), (365, 0.01)])
def test_power_is_the_inverse_of_the_detectable_sharpe(n_days, alpha):
    for wanted in (0.5, 0.8, 0.95):
        sought = minimum_detectable_sharpe(n_days, alpha=alpha, power=wanted)
        assert power(sought, n_days, alpha=alpha) == pytest.approx(wanted, abs=1e-9)


def test_power_refuses_few_days_and_levels_that_are_none():
    with pytest.raises(SampleError, match="at least 30 days, got 29"):
        power(1.0, 29)
    with pytest.raises(ValueError, match="0 < alpha < 1, got 1"):
        power(1.0, 365, alpha=1)
    assert np.isnan(power(float("nan"), 365))


@pytest.mark.parametrize("days", [30, 400, 1000])
def test_stretches_are_made_of_the_days_that_there_were(days):
    returns = np.random.default_rng(3).normal(0.001, 0.02, 400)
    drawn = stretches(returns, days, 200, np.random.default_rng(4))
    assert drawn.shape == (200, days)
    assert np.isin(drawn, returns).all()
    assert drawn.mean() == pytest.approx(returns.mean(), abs=4 * 0.02 / np.sqrt(200 * days) + 0.0005)
    assert not np.array_equal(drawn, stretches(returns, days, 200, np.random.default_rng(5)))


def test_stretches_keep_neighbours_together():
    wave = np.sin(np.arange(400) / 20) + np.random.default_rng(1).normal(0, 0.1, 400)
    drawn = stretches(wave, 400, 50, np.random.default_rng(2))
    assert np.mean([np.corrcoef(row[:-1], row[1:])[0, 1] for row in drawn]) > 0.7
