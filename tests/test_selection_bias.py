from itertools import combinations

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap, StepM
from arenas import sampled

from arena.errors import SampleError
from arena.stats import selection_bias
from arena.stats.metrics import DAYS_A_YEAR, sharpe
from arena.stats.selection_bias import (
    Evidence,
    deflated_sharpe,
    effective_trials,
    evidence,
    exact_maximum,
    expected_maximum,
    hurdle,
    luck_line,
    pbo,
    stepm,
)
from arena.stats.significance import MIN_DAYS, Moments, block_length, daily_sharpes, probabilistic_sharpe, probability

DAYS = 500
NOISE = np.random.default_rng(0).normal(0, 0.01, (40, DAYS))
"""Forty trials without skill."""


def skilled(rows, row=7, a_year=4.0):
    """The same trials, one of which has this Sharpe ratio on average."""
    rows = rows.copy()
    rows[row] += rows[row].std() * a_year / np.sqrt(DAYS_A_YEAR)
    return rows


def families(rng, n_families, size, shared, days=DAYS):
    """Trials whose correlation is `shared` within a family, and zero across."""
    common = np.sqrt(shared) * rng.normal(size=(n_families, 1, days))
    return (common + np.sqrt(1 - shared) * rng.normal(size=(n_families, size, days))).reshape(-1, days)


# the expected maximum


def test_the_hurdle_and_the_probability_of_the_papers_example():
    """
    Bailey and Lopez de Prado (2014): 100 trials, 1250 days of 250 a year, variance 1/2 a year, SR 2.5, skew -3,
    kurtosis 10.
    """
    bar = expected_maximum(100, 0.5 / 250)
    assert bar == pytest.approx(0.1132, abs=5e-5)
    assert probability(Moments(1250, 2.5 / np.sqrt(250), -3, 10), bar) == pytest.approx(0.9004, abs=5e-5)


@pytest.mark.parametrize("n", [2, 3, 5, 20, 50, 300])
def test_the_expected_maximum_is_that_of_simulated_normals(n):
    simulated = np.random.default_rng(n).normal(size=(20_000, n)).max(axis=1).mean()
    assert exact_maximum(np.array([n]))[0] == pytest.approx(simulated, abs=0.02)
    assert expected_maximum(n, 1.0) == pytest.approx(simulated, abs=0.04)


def test_the_exact_maxima_of_two_and_three():
    assert exact_maximum(np.array([1.0, 2.0, 3.0])) == pytest.approx(
        [0, 1 / np.sqrt(np.pi), 1.5 / np.sqrt(np.pi)], abs=1e-6
    )


def test_the_expected_maximum_grows_with_the_trials_from_nothing_and_never_is_negative():
    maxima = [expected_maximum(n, 1.0) for n in np.geomspace(1.001, 1e9, 500)]
    assert 0 < maxima[0] < 1e-3
    assert (np.diff(maxima) > 0).all()


@pytest.mark.parametrize(
    ("n", "variance"),
    [(1, 1.0), (0.5, 1.0), (0, 1.0), (np.nan, 1.0), (np.inf, 1.0), (50, 0.0), (50, -1.0), (50, np.nan), (50, np.inf)],
)
def test_a_hurdle_of_zero_is_never_returned(n, variance):
    assert np.isnan(expected_maximum(n, variance))


def test_every_parameter_of_the_hurdle_changes_it():
    base = hurdle(20, 500)
    assert base == expected_maximum(20, 1 / 499)
    assert hurdle(21, 500) > base
    assert hurdle(20, 400) > base
    assert luck_line(20, 500) == pytest.approx(base * np.sqrt(365))
    assert np.isnan(hurdle(50, 1))


def test_the_luck_line_is_the_best_of_so_many_without_skill():
    """A hundred of them over five years: about 1.13, the headline that gave the reason for this file."""
    rng = np.random.default_rng(1)
    best = np.mean([np.nanmax(daily_sharpes(rng.normal(size=(100, 1825)))) for _ in range(40)]) * np.sqrt(365)
    assert luck_line(100, 1825) == pytest.approx(1.13, abs=5e-3)
    assert luck_line(100, 1825) == pytest.approx(best, abs=0.08)


# the effective number


@pytest.mark.parametrize("n", [2, 10, 100, 300])
def test_independent_trials_count_as_many(n):
    assert effective_trials(np.random.default_rng(n).normal(size=(n, 1000)), n) == pytest.approx(n, rel=0.06)


@pytest.mark.parametrize(
    "rows", [NOISE[[0, 0]], NOISE[[0] * 50], np.outer([1, 2, 1e-3], NOISE[0]), NOISE[[0]] + [[0], [0.01]]]
)
def test_equal_trials_count_as_one_whatever_their_size(rows):
    assert effective_trials(rows, len(rows)) == 1


def test_opposite_trials_are_two_and_not_more():
    """One of them always is lucky: their best is higher than that of two independent ones."""
    assert effective_trials(np.vstack([NOISE[0], -NOISE[0]]), 2) == 2


def test_copies_add_nothing():
    assert effective_trials(NOISE[[*range(40), *range(40)]], 80) == pytest.approx(effective_trials(NOISE, 40), abs=0.02)


@pytest.mark.parametrize("shared", [0.3, 0.8, 0.95])
def test_the_best_of_correlated_trials_is_as_lucky_as_the_best_of_the_effective_number(shared):
    """
    Six families of ten. Their number, six, is what clusters would say; the best of sixty is luckier than that of six.
    """
    simulated = families(np.random.default_rng(2), 6, 10, shared, 20_000).max(axis=0).mean()
    n = effective_trials(families(np.random.default_rng(3), 6, 10, shared, 1500), 60)
    assert 6 < n < 60
    assert exact_maximum(np.array([n]))[0] == pytest.approx(simulated, abs=0.05)


def test_one_more_trial_never_lowers_the_number():
    """Neither a copy nor a new idea, a crash or an opposite: an optimiser cannot lower its hurdle by trying more."""
    rng = np.random.default_rng(4)
    rows, last, total = families(rng, 3, 4, 0.7), 0.0, 12
    for _ in range(25):
        kind = rng.integers(4)
        pick = rows[rng.integers(len(rows))]
        new = [pick + 1e-3 * rng.normal(size=DAYS), rng.normal(size=DAYS), np.full(DAYS, np.nan), -pick][kind]
        rows, total = np.vstack([rows, new]), total + 1
        number = effective_trials(rows, total)
        assert number >= last - 0.011
        last = number


def test_each_trial_without_returns_is_one_more():
    assert effective_trials(NOISE, 47) == pytest.approx(effective_trials(NOISE, 40) + 7)


@pytest.mark.parametrize(
    "row", [np.zeros(DAYS), np.full(DAYS, 0.001), np.append(NOISE[0, :-1], np.nan), np.append(NOISE[0, :-1], np.inf)]
)
def test_a_row_without_a_sharpe_ratio_counts_like_a_crash(row):
    assert effective_trials(np.vstack([NOISE, row]), 41) == effective_trials(NOISE, 41)


def test_tiny_returns_are_as_good_as_large_ones():
    assert effective_trials(NOISE * 1e-200, 40) == pytest.approx(effective_trials(NOISE, 40), abs=0.02)


@pytest.mark.parametrize(
    ("rows", "total", "message"),
    [
        (NOISE[:, : MIN_DAYS - 1], 40, r"at least 30 daily returns each, got shape \(40, 29\)"),
        (NOISE[0], 40, r"got shape \(500,\)"),
        (NOISE, 39, "39 trials in all cannot be fewer than the 40"),
        (NOISE[:0], 5, "none of 0 trials"),
        (np.zeros((3, DAYS)), 5, "none of 3 trials has returns that vary"),
    ],
    ids=["too short", "one row", "too few in all", "no trial", "no trade"],
)
def test_trials_that_cannot_be_counted_are_refused(rows, total, message):
    with pytest.raises(SampleError, match=message):
        effective_trials(rows, total)


# the deflated Sharpe ratio


def test_one_trial_has_no_deflated_sharpe_ratio():
    assert np.isnan(deflated_sharpe(NOISE[0], 1))
    assert np.isnan(deflated_sharpe(NOISE[0], effective_trials(NOISE[[0, 0]], 2)))


def test_every_parameter_of_the_deflated_sharpe_ratio_changes_it():
    own = skilled(NOISE)[7]
    base = deflated_sharpe(own, 40)
    assert base < probabilistic_sharpe(own)
    assert deflated_sharpe(own, 41) < base
    assert deflated_sharpe(own[1:], 40) != base


def test_unusable_returns_have_no_deflated_sharpe_ratio():
    with pytest.raises(SampleError, match="do not vary"):
        deflated_sharpe(np.zeros(DAYS), 40)


DRAWS = {
    "normal": lambda rng, shape: rng.normal(0, 0.01, shape),
    "fat tails": lambda rng, shape: rng.standard_t(3, shape),
    "left tails": lambda rng, shape: 1 - rng.exponential(1, shape),
}


def share_of_lucky_ones(rng, draw, n, times=300):
    """How often the best of n trials without skill has a deflated Sharpe ratio above 0.95."""
    lucky = 0
    for _ in range(times):
        rows = draw(rng, (n, 250))
        sharpes = daily_sharpes(rows)
        lucky += deflated_sharpe(rows[sharpes.argmax()], n) > 0.95
    return lucky / times


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("n", [2, 10, 50])
def test_the_best_of_many_without_skill_is_rarely_called_skilled(n, draw):
    rng = np.random.default_rng(n)
    assert share_of_lucky_ones(rng, DRAWS[draw], n) <= 0.05
    best = [daily_sharpes(DRAWS[draw](rng, (n, 250))).max() * np.sqrt(249) for _ in range(100)]
    assert np.mean(np.array(best) > 1.645) > (1 - 0.95**n) / 2  # what a test that forgets the trials would say


@pytest.mark.nightly
@pytest.mark.parametrize("draw", DRAWS)
def test_the_best_of_families_without_skill_is_rarely_called_skilled(draw):
    """With the effective number in place of the number. Families of two, ten and fifty near copies."""
    rng, lucky, times = np.random.default_rng(6), 0, 300
    for k in range(times):
        ideas = DRAWS[draw](rng, (3, 250))
        rows = np.repeat(ideas, (2, 10, 50)[k % 3], axis=0)
        rows = rows + 0.3 * ideas.std() * DRAWS[draw](rng, rows.shape) / DRAWS[draw](rng, (1000,)).std()
        found = evidence(rows[daily_sharpes(rows).argmax()], list(rows), len(rows))
        lucky += found.dsr > 0.95
    assert lucky / times <= 0.05


def test_one_truly_better_trial_is_found():
    rows = skilled(NOISE, a_year=6)
    assert deflated_sharpe(rows[7], 40) > 0.95


# the probability of backtest overfitting


def overfit_by_hand(rows, n_blocks):
    """As the paper has it, one split after the other, with the Sharpe ratio of the metrics."""
    blocks, shares = np.array_split(np.arange(rows.shape[1]), n_blocks), []
    for half in combinations(range(n_blocks), n_blocks // 2):
        days = np.concatenate([blocks[k] for k in half])
        sample = [sharpe(row[days]) for row in rows]
        other = np.array([sharpe(np.delete(row, days)) for row in rows])
        rank = 1 + np.sum(other < other[int(np.argmax(sample))])
        shares.append(rank / (len(rows) + 1))
    return np.mean(np.array(shares) < 0.5) + np.mean(np.array(shares) == 0.5) / 2


@pytest.mark.parametrize(("n", "n_blocks"), [(4, 8), (5, 6), (2, 4)])
def test_sums_of_blocks_give_what_the_days_give(n, n_blocks):
    assert pbo(NOISE[:n, :480], n_blocks) == pytest.approx(overfit_by_hand(NOISE[:n, :480], n_blocks), abs=1e-12)


@pytest.mark.parametrize("cells", [1, 1000, 10**9])
def test_splits_are_taken_in_parts_and_none_is_lost(monkeypatch, cells):
    whole = pbo(NOISE, 8)
    monkeypatch.setattr(selection_bias, "CELLS", cells)
    assert pbo(NOISE, 8) == whole


@pytest.mark.parametrize("n", [3, 20])
def test_among_trials_without_skill_the_best_is_below_the_median_half_the_time(n):
    rng = np.random.default_rng(8)
    assert np.mean([pbo(rng.normal(size=(n, 400)), 10) for _ in range(300)]) == pytest.approx(0.5, abs=0.04)


def test_one_truly_better_trial_stays_the_best():
    assert pbo(skilled(NOISE, a_year=8)) < 0.02


def test_every_parameter_of_the_overfitting_changes_it():
    assert len({pbo(NOISE), pbo(NOISE[1:]), pbo(NOISE, 12)}) == 3


def test_the_scale_of_each_trial_does_not_matter():
    assert pbo(NOISE * np.geomspace(1e-6, 1e3, 40)[:, None]) == pbo(NOISE)


def test_copies_and_trials_that_never_trade_do_not_change_the_overfitting():
    assert pbo(np.vstack([NOISE, NOISE[:5], np.zeros((2, DAYS)), np.full(DAYS, 0.001)])) == pbo(NOISE)


def test_a_trial_that_rests_for_a_half_counts_as_cash_there():
    """
    It earns in the first half alone; the other loses always. In each split the resting one is best, and best in the
    other half.
    """
    rests = np.where(np.arange(DAYS) < DAYS / 2, 0.01 + NOISE[0] / 10, 0.0)
    assert pbo(np.vstack([rests, NOISE[1] - 0.1]), 4) == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (NOISE[:, : 2 * MIN_DAYS - 1], "at least 60 daily returns each"),
        (NOISE[0], r"got shape \(500,\)"),
        (NOISE[:1], "at least 2 different trials whose returns vary, got 1"),
        (NOISE[[3, 3, 3]], "got 1"),
        (np.vstack([NOISE[0], np.zeros(DAYS)]), "got 1"),
        (np.where(NOISE[2, 3] == NOISE, np.nan, NOISE), "1 nan or inf"),
    ],
    ids=["too short", "one row", "one trial", "equal trials", "one never trades", "a nan"],
)
def test_trials_that_cannot_overfit_are_refused(rows, message):
    with pytest.raises(SampleError, match=message):
        pbo(rows)


@pytest.mark.parametrize("n_blocks", [2, 5, 22])
def test_the_blocks_must_halve(n_blocks):
    with pytest.raises(ValueError, match=f"n_blocks is {n_blocks}"):
        pbo(NOISE, n_blocks)


# which trials beat the benchmark


def beaten(rows=NOISE, benchmark=0.0, seed=1, **options):
    return stepm(rows, benchmark, np.random.default_rng(seed), **{"repetitions": 300} | options)


def test_without_skill_no_trial_is_superior():
    assert not beaten().better.any()
    assert beaten().p_value > 0.05


def test_one_truly_better_trial_is_the_superior_one():
    found = beaten(skilled(NOISE, a_year=6))
    assert np.flatnonzero(found.better).tolist() == [7]
    assert found.p_value == pytest.approx(1 / 301)


def test_a_trial_that_beats_cash_need_not_beat_the_market():
    market = NOISE[0] + 0.003
    rows = np.vstack([market + NOISE[1] / 10, market + NOISE[2] / 10 + 0.001])
    assert beaten(rows).better.tolist() == [True, True]
    assert beaten(rows, market).better.tolist() == [False, True]


def test_a_wild_trial_does_not_hide_a_quiet_one():
    """Without scaling, which arch's own `studentize` does not do, the wild one sets the bar."""
    rows = skilled(NOISE, a_year=6)
    rows[3] *= 100
    assert np.flatnonzero(beaten(rows).better).tolist() == [7]
    plain = StepM(np.zeros(DAYS), -rows.T, block_size=1, reps=300, seed=np.random.default_rng(1))
    plain.compute()
    assert plain.superior_models == []


def test_resamples_counted_in_a_table_give_what_resamples_of_the_days_give():
    """
    One after the other, with arch's resamples: mean over deviation of each trial, moved so that none is better than
    cash.
    """
    rows = NOISE[:12] - NOISE[:12].mean(axis=1, keepdims=True)
    rows += rows.std(axis=1, keepdims=True) * np.array([5] * 9 + [2.3, 0.5, -9])[:, None] / np.sqrt(DAYS)
    moved = rows - rows.mean(axis=1, keepdims=True)
    moved[11] += rows[11].mean()  # Hansen (2005): so far behind that it stays there
    rng = np.random.default_rng(1)
    samples = StationaryBootstrap(
        block_length((rows / rows.std(axis=1, keepdims=True)).T), moved.T, seed=rng
    ).bootstrap(300)
    simulated = np.array([days[0].mean(axis=0) / days[0].std(axis=0) for days, _ in samples])
    ratios = rows.mean(axis=1) / rows.std(axis=1)
    first = ratios > np.quantile(simulated.max(axis=1), 0.95)
    second = first | (ratios > np.quantile(simulated[:, ~first].max(axis=1), 0.95))
    found = beaten(rows)
    assert found.better.tolist() == second.tolist()
    assert (first.sum(), second.sum()) == (9, 10), "one needs the second step"
    assert found.p_value == pytest.approx((np.sum(simulated.max(axis=1) >= ratios.max()) + 1) / 301)


def test_the_p_value_is_that_of_resamples_of_the_days_each_with_its_own_deviation():
    rows = DRAWS["left tails"](np.random.default_rng(11), (5, 100))
    moved = rows - rows.mean(axis=1, keepdims=True)
    length = block_length((rows / rows.std(axis=1, keepdims=True)).T)
    samples = StationaryBootstrap(length, moved.T, seed=np.random.default_rng(1)).bootstrap(300)
    simulated = np.array([np.max(days[0].mean(axis=0) / days[0].std(axis=0)) for days, _ in samples])
    p_value = (np.sum(simulated >= np.max(rows.mean(axis=1) / rows.std(axis=1))) + 1) / 301
    assert 0.05 < p_value < 0.95
    assert beaten(rows).p_value == pytest.approx(p_value)


def test_all_trials_may_be_superior_in_several_steps():
    """The second one is above its own bar, but not above that of both: here arch by itself fails."""
    rows = (NOISE - NOISE.mean(axis=1, keepdims=True)) / NOISE.std(axis=1, keepdims=True)
    rows = rows[:2] + np.array([[10], [1.8]]) / np.sqrt(DAYS)
    assert beaten(rows[1:]).better.tolist() == [True]
    assert beaten(np.vstack([rows[1], NOISE[2:20]])).better[0] == np.False_
    assert beaten(rows).better.tolist() == [True, True]


def test_hopeless_trials_do_not_raise_the_bar():
    rows = skilled(NOISE[:8], a_year=1)
    few, many = beaten(rows), beaten(np.vstack([rows, NOISE[8:] - 0.01]))
    assert many.p_value == pytest.approx(few.p_value, abs=0.02)
    assert beaten(np.vstack([rows, NOISE[8:]])).p_value > few.p_value


@pytest.mark.parametrize("sign", [1, -1])
def test_a_trial_that_hardly_trades_neither_breaks_the_test_nor_wins(sign):
    """One resample in seven holds none of its two trades."""
    rare = np.zeros(DAYS)
    rare[[5, 300]] = sign * 0.05, sign * 0.04
    found = beaten(np.vstack([rare, skilled(NOISE, a_year=6)]))
    assert np.flatnonzero(found.better).tolist() == [8]


def test_rows_that_do_not_vary_are_never_superior_and_copies_share_their_verdict():
    rows = np.vstack([np.zeros(DAYS), skilled(NOISE, a_year=6)[7], np.full(DAYS, 0.001), skilled(NOISE, a_year=6)[7]])
    assert beaten(rows).better.tolist() == [False, True, False, True]


def test_every_parameter_of_the_steps_changes_them():
    rows = skilled(NOISE, a_year=1.5)
    base = beaten(rows)
    assert beaten(rows[8:]).p_value != base.p_value
    assert beaten(rows, NOISE[9]).p_value != base.p_value
    assert beaten(rows, seed=2).p_value != base.p_value
    assert beaten(rows, repetitions=200).p_value != base.p_value
    assert not base.better.any()
    assert beaten(rows, level=0.9).better.any()


@pytest.mark.parametrize(
    ("rows", "benchmark", "message"),
    [
        (NOISE[:, : MIN_DAYS - 1], 0.0, "at least 30 daily returns each"),
        (NOISE, NOISE[0, 1:], r"the benchmark has shape \(499,\), the trials have 500 days"),
        (NOISE, np.append(NOISE[0, 1:], np.nan), "40 nan or inf"),
        (NOISE[:1], NOISE[0], "none of 1 trials varies against the benchmark"),
        (NOISE[:0], 0.0, "none of 0 trials"),
    ],
    ids=["too short", "other days", "a nan", "equal", "no trial"],
)
def test_trials_that_cannot_be_compared_are_refused(rows, benchmark, message):
    with pytest.raises(SampleError, match=message):
        beaten(rows, benchmark)


def superior_by_luck(rng, draw, times):
    return np.mean([stepm(draw(rng, (10, 250)), 0.0, rng, repetitions=200).better.any() for _ in range(times)])


def test_without_skill_one_in_twenty_has_a_superior_trial():
    assert superior_by_luck(np.random.default_rng(9), DRAWS["normal"], 150) == pytest.approx(0.05, abs=0.04)


@pytest.mark.nightly
@pytest.mark.parametrize("draw", DRAWS)
def test_without_skill_one_in_twenty_has_a_superior_trial_with_any_tails(draw):
    assert superior_by_luck(np.random.default_rng(10), DRAWS[draw], 1000) == pytest.approx(0.05, abs=0.025)


# what an evaluation reports


def test_the_evidence_is_what_its_parts_say():
    rows = skilled(NOISE)
    n = effective_trials(rows, 45)
    expected = Evidence(
        trials=45, effective=n, luck_line=luck_line(n, DAYS), dsr=deflated_sharpe(rows[7], n), pbo=pbo(rows)
    )
    assert evidence(rows[7], list(rows), 45) == pytest.approx(expected)
    assert np.isfinite(expected).all()


def test_skill_in_other_trials_does_not_count_as_luck():
    """Half of the trials earn something: the line is that of as many trials without skill."""
    rows = NOISE.copy()
    rows[::2] += 0.002
    assert daily_sharpes(rows).var() > 2 / DAYS
    assert evidence(rows[0], list(rows), len(rows)).luck_line == pytest.approx(
        evidence(NOISE[0], list(NOISE), len(rows)).luck_line, rel=1e-3
    )


@pytest.mark.parametrize("draw", sampled(["normal", "fat tails", "left tails", "families"], set(), {"left tails"}))
def test_the_best_without_skill_is_seldom_convincing(draw):
    """
    At most 5 % of searches without skill find a best whose evidence passes: 200 searches of 20 strategies, 500 days.
    """
    rng, passed = np.random.default_rng(5), 0
    for _ in range(200):
        rows = {
            "normal": lambda: rng.normal(size=(20, 500)),
            "fat tails": lambda: rng.standard_t(3, size=(20, 500)),
            "left tails": lambda: 1 - rng.exponential(size=(20, 500)),
            "families": lambda: np.repeat(rng.normal(size=(5, 500)), 4, axis=0) + 0.5 * rng.normal(size=(20, 500)),
        }[draw]() / 100
        best = rows[int(np.argmax(daily_sharpes(rows)))]
        passed += evidence(best, list(rows), len(rows)).dsr >= 0.95
    assert passed / 200 <= 0.07  # two standard errors above 4 %


def test_trials_over_other_days_or_without_a_sharpe_ratio_count_like_crashed_ones():
    others = [NOISE[0, 1:], np.zeros(DAYS), np.full(DAYS, np.nan), np.empty(0)]
    assert evidence(NOISE[7], [*NOISE, *others], 44) == pytest.approx(evidence(NOISE[7], list(NOISE), 44))


def test_the_first_trial_has_no_evidence():
    found = evidence(NOISE[0], [NOISE[0]], 1)
    assert (found.trials, found.effective) == (1, 1)
    assert np.isnan([found.luck_line, found.dsr, found.pbo]).all()


def test_the_first_trial_that_did_not_crash_has_a_luck_line():
    found = evidence(NOISE[0], [NOISE[0]], 4)
    assert found.effective == 4
    assert found.luck_line == luck_line(4, DAYS)
    assert np.isnan(found.pbo)


@pytest.mark.parametrize("own", [np.empty(0), NOISE[0, :20], np.zeros(DAYS), np.full(DAYS, np.nan)])
def test_returns_that_say_nothing_have_no_deflated_sharpe_ratio(own):
    found = evidence(own, [own], 9)
    assert found.trials == 9
    assert np.isnan(found[1:]).all()


def test_short_years_have_no_overfitting_but_a_luck_line():
    found = evidence(NOISE[0, :40], list(NOISE[:, :40]), 40)
    assert np.isnan(found.pbo)
    assert np.isfinite([found.effective, found.luck_line, found.dsr]).all()
