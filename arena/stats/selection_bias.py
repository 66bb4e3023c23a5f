"""
Judges the best of many trials: how good it would look by luck alone. Pure functions of arrays.

Arrays of trials have shape (n_trials, n_days), one row per trial, the same days in each. Not covered: what was tried
elsewhere.
"""

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from arena.errors import SampleError
from arena.stats import lazy_arch
from arena.stats.metrics import DAYS_A_YEAR
from arena.stats.significance import MIN_DAYS, REPETITIONS, block_length, has_sharpe, probabilistic_sharpe

DRAWS = 2048
"""
Draws of the multiplier bootstrap, each used with both signs: the effective number of 300 independent trials is right
within 3 %.
"""
CELLS = 500_000
"""Trials times splits that `pbo` handles at once, so that they fit into the cache."""


class Evidence(NamedTuple):
    """What the trials so far say about one of them; nan is undefined."""

    trials: int  # all of them, crashed ones included
    effective: float  # how many independent ones they amount to
    luck_line: float  # Sharpe ratio, annualised, that the best of them would show without skill
    dsr: float  # probability in [0, 1] that the true Sharpe ratio is above that line
    # probability in [0, 1] that the best of one half of the days is in the lower half of the trials in the other
    pbo: float


class Superior(NamedTuple):
    """Which trials beat the benchmark."""

    better: NDArray[np.bool_]  # (n_trials,)
    p_value: float  # of the best one, in (0, 1]: how often the best of trials without skill is as far ahead


def evidence(
    own: NDArray[np.float64], returns: Sequence[NDArray], total: int, filled: Sequence[NDArray] = ()
) -> Evidence:
    """
    Returns everything about luck that an evaluation reports. nan if there are too few trials or days.

    Parameters
    ----------
    own : float array of shape (n_days,)
        Daily returns of the trial in question, as fractions, oldest first.
    returns : sequence of float arrays
        Of each trial that has returns, this one included. A trial with another length, or without a Sharpe ratio,
        counts among `total` like a crashed one.
    total : int
        Trials so far: all of them, this one, crashed and discarded ones included.
    filled : sequence of float arrays of shape (n_days,)
        Of trials with returns of some days and a constant elsewhere: they show how alike trials are.
    """
    same = [row for row in returns if row.shape == own.shape]
    table = np.array([*same, *filled]) if same or filled else np.empty((0, len(own)))
    whole = table[: len(same)]

    def defined(figure: Callable[..., float], *arguments: Any) -> float:
        try:
            return figure(*arguments)
        except SampleError:
            return float("nan")

    effective = defined(effective_trials, table[has_sharpe(table)], total)
    return Evidence(
        trials=total,
        effective=effective,
        luck_line=luck_line(effective, len(own)),
        dsr=defined(deflated_sharpe, own, effective),
        pbo=defined(pbo, whole[has_sharpe(whole)]),
    )


def expected_maximum(n_trials: float, variance: float) -> float:
    """
    Returns the average of the largest of `n_trials` independent normal Sharpe ratios with mean zero.

    Parameters
    ----------
    n_trials : float
        Need not be whole: an effective number.
    variance : float
        Of the Sharpe ratios. The result has the unit of its root: per day in, per day out.

    Returns
    -------
    float
        Positive; nan for one trial or fewer, and without a positive variance: a hurdle of zero is never returned.

    Source
    ------
    The False Strategy theorem: Bailey and Lopez de Prado (2014), The Deflated Sharpe Ratio, J. Portfolio
    Management 40(5), 94-107, doi:10.3905/jpm.2014.40.5.094. The approximation is 1 % above the truth at 50 trials.
    Deviation: below three trials it is too small, below 1.3 even negative; there the exact expectation takes its place.
    """
    if not (1 < n_trials < np.inf and 0 < variance < np.inf):
        return float("nan")
    gamma = np.euler_gamma
    approximate = (1 - gamma) * ndtri(1 - 1 / n_trials) + gamma * ndtri(1 - 1 / (n_trials * math.e))
    return float(np.sqrt(variance) * max(approximate, exact_maximum(np.array([n_trials]))[0]))


def exact_maximum(n_trials: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Returns (n,) expected maxima of `n_trials` independent standard normals, whole numbers or not, from 1 to 1e12.
    Integrates numerically.
    """
    x = np.linspace(0, 9, 451)
    above = -np.expm1(n_trials[:, None] * log_ndtr(x))  # P(maximum > x)
    below = np.exp(n_trials[:, None] * log_ndtr(-x))  # P(maximum < -x)
    return np.trapezoid(above - below, x, axis=1)


def effective_trials(returns: NDArray[np.float64], total: int) -> float:
    """
    Returns the number of independent trials whose best is as high by luck as the best of these.

    Correlated trials have a lower best. The Gaussian multiplier bootstrap gives its average under the correlation of
    the returns. The result is the number of independent normals with the same expected maximum. Equal trials count as
    one, N independent ones as about N: 294 of 300 on 1,095 days; 200 of 300 on 40, where a correlation matrix is all
    noise; their expected maximum is 5 % below that of 300.

    Parameters
    ----------
    returns : float array of shape (n_trials, n_days)
        Daily, as fractions. A row with nan or inf, or that does not vary, cannot be correlated; it counts among `total`
        alone.
    total : int
        All trials, including those without returns. Each of those counts as one more, which is the most that it can be:
        a crashed trial was no candidate for the best, but it was a try with unknown correlation.

    Returns
    -------
    float
        From 1 to `total`, to two decimals. One more trial, with whatever returns, never lowers it except in the last
        digit. The draws are the same in each call: they are nodes of a quadrature rather than chance, so no Generator
        is passed.

    Raises
    ------
    SampleError
        Fewer than MIN_DAYS days, no row that can be correlated, or a total below the number of rows.

    Source
    ------
    Chernozhukov, Chetverikov and Kato (2013), Gaussian Approximations and Multiplier Bootstrap for Maxima
    of Sums of High-Dimensional Random Vectors, Annals of Statistics 41(6), 2786-2819, doi:10.1214/13-AOS1161. Deviation
    from Lopez de Prado and Lewis (2019), doi:10.1080/14697688.2019.1622295, who count clusters: the best of a cluster
    of a hundred is luckier than one trial, silhouettes find no clusters among independent trials, and one more trial
    can lower their number.
    """
    table = _table(returns)
    if total < len(table):
        raise SampleError(f"{total} trials in all cannot be fewer than the {len(table)} with returns.")
    rows = table[has_sharpe(table)]
    if not len(rows):
        raise SampleError(f"none of {len(table)} trials has returns that vary.")
    rows = rows / np.abs(rows).max(axis=1, keepdims=True)  # float32 below: no return is too small to square
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.sqrt(np.sum(rows**2, axis=1, keepdims=True))
    draws = np.random.default_rng(0).standard_normal((rows.shape[1], DRAWS), dtype=np.float32)
    scores = rows.astype(np.float32) @ draws
    best = float(np.mean(scores.max(axis=0) - scores.min(axis=0), dtype=np.float64)) / 2
    counts = np.geomspace(1, 1e6, 600)
    measured = min(float(np.interp(best, exact_maximum(counts), counts)), len(rows))
    return round(measured + total - len(rows), 2)


def hurdle(effective: float, n_days: int) -> float:
    """
    Returns the Sharpe ratio per day that the best of the trials would show on average without skill.

    Parameters
    ----------
    effective : float
        Number of independent trials; 1 or fewer gives nan.
    n_days : int
        That the trials have in common, at least 2; fewer give nan.

    Deviation
    ---------
    Bailey and Lopez de Prado (2014) take the variance across trials. Here it is the sampling error over these days:
    without skill Sharpe ratios scatter by that, and by less if trials are correlated. Any more scatter is skill and
    fees; counted as luck, it would hide an edge that many trials have.
    """
    return expected_maximum(effective, 1 / (n_days - 1)) if n_days > 1 else float("nan")


def luck_line(effective: float, n_days: int) -> float:
    """`hurdle`, annualised with sqrt(365)."""
    return hurdle(effective, n_days) * float(np.sqrt(DAYS_A_YEAR))


def deflated_sharpe(returns: NDArray[np.float64], effective: float) -> float:
    """
    Returns the probability that the true Sharpe ratio exceeds what the best of all trials would show without skill.

    Parameters
    ----------
    returns : float array of shape (n_days,)
        Of the chosen trial: daily, as fractions, oldest first, without nan.
    effective : float
        Number of independent trials.

    Returns
    -------
    float
        In [0, 1]; nan with one effective trial or fewer, as the hurdle would be zero.

    Raises
    ------
    SampleError
        Fewer than MIN_DAYS days, nan or inf, or returns that do not vary.

    Source
    ------
    Bailey and Lopez de Prado (2014), doi:10.3905/jpm.2014.40.5.094. Deviations: see `effective_trials` and `hurdle`.
    """
    return probabilistic_sharpe(returns, hurdle(effective, len(returns)))


def pbo(returns: NDArray[np.float64], n_blocks: int = 16) -> float:
    """
    Probability of backtest overfitting: how often the best trial of one half of the days is below the median in the
    other half.

    Parameters
    ----------
    returns : float array of shape (n_trials, n_days)
        Daily, as fractions, oldest first, without nan. Equal rows count once; rows that do not vary are left out.
    n_blocks : int
        Even, from 4 to 20. The days are cut into so many blocks; each half of the blocks is the sample once.

    Returns
    -------
    float
        In [0, 1]; about 0.5 when the choice is luck. A trial that rests throughout a half has a Sharpe ratio of 0
        there. Near copies of one trial are as many trials, and draw the figure towards 0.5.

    Raises
    ------
    SampleError
        Fewer than 2 MIN_DAYS days, nan or inf, or fewer than 2 different trials. (ValueError: n_blocks.)

    Source
    ------
    Bailey, Borwein, Lopez de Prado and Zhu (2017), The Probability of Backtest Overfitting, J.
    Computational Finance 20(4), 39-69, doi:10.21314/JCF.2016.322. Deviations: blocks differ by a day where the days do
    not divide; equal Sharpe ratios share their ranks; the median itself counts half, so that an odd number of trials
    without skill has 0.5 as well.
    """
    if n_blocks % 2 or not 4 <= n_blocks <= 20:
        raise ValueError(f"n_blocks is {n_blocks}; needs an even number from 4 to 20.")
    table = _table(returns, 2 * MIN_DAYS)
    if not np.isfinite(table).all():
        raise SampleError(f"returns hold {np.count_nonzero(~np.isfinite(table))} nan or inf; leave those trials out.")
    different = {row.tobytes(): row for row in table[has_sharpe(table)]}
    if len(different) < 2:
        raise SampleError(f"needs at least 2 different trials whose returns vary, got {len(different)}.")
    rows = np.array(list(different.values()))
    starts = np.linspace(0, rows.shape[1], n_blocks, endpoint=False).astype(int)
    sums, squares = np.add.reduceat(rows, starts, axis=1), np.add.reduceat(rows**2, starts, axis=1)
    halves = np.array([[0, *others] for others in combinations(range(1, n_blocks), n_blocks // 2 - 1)])
    # each split once, with the first block in its sample; the loop below takes it both ways round
    splits = np.zeros((n_blocks, len(halves)))
    splits[halves.T, np.arange(len(halves))] = 1
    overfit = 0.0
    for part in np.array_split(splits, 1 + len(rows) * splits.shape[1] // CELLS, axis=1):
        first = _order(sums @ part, squares @ part)
        second = _order(sums @ (1 - part), squares @ (1 - part))
        overfit += _below_median(first, second) + _below_median(second, first)
    return overfit / (2 * splits.shape[1])


def stepm(
    returns: NDArray[np.float64],
    benchmark: NDArray[np.float64] | float,
    rng: np.random.Generator,
    *,
    level: float = 0.05,
    repetitions: int = REPETITIONS,
) -> Superior:
    """
    Returns the trials that beat the benchmark, with probability `level` at most that any of them is there by luck.

    Parameters
    ----------
    returns : float array of shape (n_trials, n_days)
        Daily, as fractions, oldest first, without nan. A row that differs from the benchmark by a constant is not
        better.
    benchmark : float array of shape (n_days,), or float
        Daily returns to beat; 0.0 is cash.
    rng
        Draws the blocks.
    level : float
        Familywise error in (0, 1).
    repetitions : int
        Bootstrap samples. 1,000 with 500 trials of 1,100 days take about 0.4 s.

    Returns
    -------
    Superior
        The p-value is that of the test of superior predictive ability, (k + 1) / (repetitions + 1), so never 0.

    Raises
    ------
    SampleError
        Fewer than MIN_DAYS days, nan or inf, a benchmark of other days, or no row that varies against it.

    Source
    ------
    Romano and Wolf (2005), Stepwise Multiple Testing as Formalized Data Snooping, Econometrica 73(4),
    1237-1282, doi:10.1111/j.1468-0262.2005.00615.x, with the p-value and the treatment of poor trials of Hansen (2005),
    doi:10.1198/073500105000000063. Days that follow each other are drawn in blocks, which is not enough on few of them:
    where each repeats 0.3 of the day before, 10 % of the tests of ten trials over 250 days find one at a level of 5 %.
    """
    table = _table(returns)
    if np.ndim(benchmark) and np.shape(benchmark) != table.shape[1:]:
        raise SampleError(f"the benchmark has shape {np.shape(benchmark)}, the trials have {table.shape[1]} days.")
    differences = table - benchmark
    if not np.isfinite(differences).all():
        raise SampleError(
            f"returns hold {np.count_nonzero(~np.isfinite(differences))} nan or inf; leave those trials out."
        )
    varies = has_sharpe(differences)
    if not varies.any():
        raise SampleError(f"none of {len(table)} trials varies against the benchmark.")
    ratios, simulated = _resampled_ratios(differences[varies], rng, repetitions)
    k = np.count_nonzero(simulated.max(axis=1) >= ratios.max())
    better = np.zeros(len(ratios), dtype=np.bool_)
    while not better.all():
        beats = ratios > np.quantile(simulated[:, ~better].max(axis=1), 1 - level)
        if not np.any(beats & ~better):
            break
        better |= beats
    varies[varies] = better
    return Superior(varies, float((k + 1) / (repetitions + 1)))


def _resampled_ratios(
    rows: NDArray[np.float64], rng: np.random.Generator, repetitions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Returns (n_trials,) mean over deviation of each row, and (repetitions, n_trials) the same of resamples in which no
    trial is better.

    Each resample has its own deviation. arch 8.0.0 has StepM too, but its `studentize` does nothing: there the most
    volatile trial sets the bar for all, 14 % of the tests without skill find some if returns have left tails, and it
    fails when its last step leaves no trial.
    """
    n_days = rows.shape[1]
    ratios = rows.mean(axis=1) / rows.std(axis=1)
    scores = ((rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)).T
    resampled = lazy_arch.bootstrap().StationaryBootstrap(block_length(scores), np.arange(n_days), seed=rng)
    counts = np.array(
        [np.bincount(days[0], minlength=n_days) for days, _ in resampled.bootstrap(repetitions)], dtype=float
    )
    means = counts @ scores / n_days
    variances = counts @ scores**2 / n_days - means**2
    # too far behind for luck to bring them to the front
    poor = ratios < -np.sqrt(2 * np.log(np.log(n_days)) / n_days)
    means += np.where(poor, ratios, 0.0)
    trades = variances > 1e-9  # more than rounding: a resample of a strategy that hardly trades may hold no trade
    return ratios, np.divide(means, np.sqrt(np.maximum(variances, 1e-9)), out=np.zeros_like(means), where=trades)


def _table(returns: NDArray[np.float64], min_days: int = MIN_DAYS) -> NDArray[np.float64]:
    if returns.ndim != 2 or returns.shape[1] < min_days:
        raise SampleError(f"needs rows of at least {min_days} daily returns each, got shape {returns.shape}.")
    return returns


def _order(sums: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Orders trials as their Sharpe ratio s does: s / sqrt(1 + s^2) up to a factor, which loses no digits; 0 at rest.
    """
    return np.divide(sums, np.sqrt(squares), out=np.zeros_like(sums), where=squares > 0)


def _below_median(sample: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """
    Counts the splits in which the best trial of the sample is in the lower half of the other days. Both (n_trials,
    n_splits).
    """
    chosen = np.take_along_axis(other, sample.argmax(axis=0)[None], axis=0)
    worse, better = np.count_nonzero(other < chosen, axis=0), np.count_nonzero(other > chosen, axis=0)
    return float(np.sum(worse < better) + np.sum(worse == better) / 2)
