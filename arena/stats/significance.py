"""
How sure the figures of one strategy are. Pure functions of arrays; randomness is passed in.

They ignore the trials that were made to find the strategy; arena/stats/selection_bias.py counts those. All except the
interval assume that days are independent; returns that follow their own past make them too sure.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from arena.errors import SampleError
from arena.stats import lazy_arch
from arena.stats.metrics import DAYS_A_YEAR, sharpe

MIN_DAYS = 30
REPETITIONS = 1000


class Moments(NamedTuple):
    """What the probability of a Sharpe ratio needs of daily returns."""

    days: int
    sharpe: float  # per day, not annualised; standard deviation with ddof=1
    skew: float  # of the sample, without correction for bias
    kurtosis: float  # raw: normal is 3; of the sample, without correction for bias


def sharpe_interval(
    returns: NDArray[np.float64], rng: np.random.Generator, *, level: float = 0.95
) -> tuple[float, float]:
    """
    Percentile interval of the annualised Sharpe ratio from the stationary bootstrap.

    Parameters
    ----------
    returns : float array of shape (n_days,)
        Daily, as fractions, oldest first, without nan.
    rng : numpy Generator
        Draws the blocks.
    level : float
        Coverage in (0, 1).

    Returns
    -------
    tuple of two floats
        Lower and upper end, annualised with sqrt(365). The coverage is approximate and holds for this one strategy
        alone: it ignores the trials that were made to find it.

    Raises
    ------
    SampleError
        Fewer than MIN_DAYS days, nan or inf, or returns that do not vary.

    Source
    ------
    Politis and Romano (1994), The Stationary Bootstrap, J. American Statistical Association 89(428), 1303-1313,
    doi:10.1080/01621459.1994.10476870.
    """
    checked(returns)
    resampled = lazy_arch.bootstrap().StationaryBootstrap(block_length(returns), returns, seed=rng)
    draws = np.array([sharpe(sample[0]) for sample, _ in resampled.bootstrap(REPETITIONS)])
    draws = draws[np.isfinite(draws)]  # a resample of a strategy that hardly trades may hold no trade
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def stretches(returns: NDArray[np.float64], days: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """
    Draws stretches of other days that these returns could have brought, by the stationary bootstrap.

    Parameters
    ----------
    returns : float array of shape (n_days,)
        Daily, oldest first, without nan.
    days : int
        Length of a stretch; it may be longer than the returns.
    n : int
        Number of stretches.
    rng : numpy Generator
        Draws the blocks.

    Returns
    -------
    float array of shape (n, days)

    Raises, Source
    --------------
    As for `sharpe_interval`.
    """
    checked(returns)
    parts = -(-days // len(returns))
    resampled = lazy_arch.bootstrap().StationaryBootstrap(block_length(returns), returns, seed=rng)
    rows = np.array([sample[0] for sample, _ in resampled.bootstrap(n * parts)])
    return rows.reshape(n, -1)[:, :days]


def block_length(returns: NDArray[np.float64]) -> float:
    """
    Returns the mean length in days, at least 1, of a stationary bootstrap's blocks; of several series their mean.

    Parameters
    ----------
    returns : float array of shape (n_days,) or (n_days, n_series)
        Daily, oldest first, without nan; each series varies.

    Source
    ------
    Politis and White (2004), doi:10.1081/ETC-120028836, with the correction of Patton, Politis and White (2009),
    doi:10.1080/07474930802459016. A length below 1 or undefined counts as 1, one day at a time.
    """
    lengths = lazy_arch.bootstrap().optimal_block_length(returns)
    return float(np.mean(np.fmax(lengths["stationary"].to_numpy(), 1.0)))


def probabilistic_sharpe(returns: NDArray[np.float64], benchmark: float = 0.0) -> float:
    """
    Probability that the true Sharpe ratio exceeds `benchmark`, given the length, skew and kurtosis of the returns.

    Parameters
    ----------
    returns : float array of shape (n_days,)
        Daily, as fractions, oldest first, without nan.
    benchmark : float
        Sharpe ratio to beat, per day, not annualised. nan gives nan.

    Returns
    -------
    float
        In [0, 1]. nan where the estimated variance is not positive: two values alone, at one particular mean.

    Raises
    ------
    SampleError
        Fewer than MIN_DAYS days, nan or inf, or returns that do not vary.

    Source
    ------
    Bailey and Lopez de Prado (2012), The Sharpe Ratio Efficient Frontier, J. Risk 15(2), 3-44,
    doi:10.21314/JOR.2012.255.
    """
    return probability(moments(returns), benchmark)


def minimum_detectable_sharpe(n_days: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """
    True Sharpe ratio that a one-sided test over this many days finds with probability `power`.

    Parameters
    ----------
    n_days : int
        Days of the test, at least MIN_DAYS.
    alpha : float
        Probability to find skill where there is none, below `power`.
    power : float
        Probability to find it where it is, below 1.

    Returns
    -------
    float
        Annualised with sqrt(365). For one strategy that was chosen before these days, and normal returns.

    Raises
    ------
    SampleError
        Fewer than MIN_DAYS days. (ValueError: alpha and power are not 0 < alpha < power < 1.)

    Source
    ------
    The standard error of Lo (2002), The Statistics of Sharpe Ratios, Financial Analysts J. 58(4), 36-52,
    doi:10.2469/faj.v58.n4.2453, at the Sharpe ratio that is looked for; one day less, as in `probabilistic_sharpe`.
    """
    if not n_days >= MIN_DAYS:
        raise SampleError(f"needs at least {MIN_DAYS} days, got {n_days}.")
    if not 0 < alpha < power < 1:
        raise ValueError(f"needs 0 < alpha < power < 1, got alpha {alpha} and power {power}.")
    errors = (ndtri(1 - alpha) + ndtri(power)) / np.sqrt(n_days - 1)
    if errors**2 >= 2:
        raise SampleError(f"{n_days} days find no Sharpe ratio, however high, with alpha {alpha} and power {power}.")
    return float(errors / np.sqrt(1 - errors**2 / 2) * np.sqrt(DAYS_A_YEAR))


def power(sharpe: float, n_days: int, *, alpha: float = 0.05) -> float:
    """
    Probability that a one-sided test over this many days finds a strategy of this true Sharpe ratio.

    Parameters
    ----------
    sharpe : float
        True Sharpe ratio, annualised with sqrt(365). nan gives nan.
    n_days : int
        Days of the test, at least MIN_DAYS.
    alpha : float
        Probability to find skill where there is none, in (0, 1).

    Returns
    -------
    float
        In (0, 1). The inverse of `minimum_detectable_sharpe`, for what that says.

    Raises
    ------
    SampleError
        Fewer than MIN_DAYS days. (ValueError: alpha is not in (0, 1).)

    Source
    ------
    As for `minimum_detectable_sharpe`.
    """
    if not n_days >= MIN_DAYS:
        raise SampleError(f"needs at least {MIN_DAYS} days, got {n_days}.")
    if not 0 < alpha < 1:
        raise ValueError(f"needs 0 < alpha < 1, got {alpha}.")
    daily = sharpe / np.sqrt(DAYS_A_YEAR)
    return float(ndtr(daily * np.sqrt((n_days - 1) / (1 + daily**2 / 2)) - ndtri(1 - alpha)))


def moments(returns: NDArray[np.float64]) -> Moments:
    """Moments of daily returns, of shape (n_days,); refuses what `checked` refuses."""
    deviations = checked(returns) - returns.mean()
    scores = deviations / np.sqrt(np.mean(deviations**2))
    daily = float(returns.mean() / returns.std(ddof=1))
    return Moments(len(returns), daily, float(np.mean(scores**3)), float(np.mean(scores**4)))


def probability(of: Moments, benchmark: float) -> float:
    """Returns `probabilistic_sharpe` of moments."""
    variance = _variance(of)
    return float(ndtr((of.sharpe - benchmark) * np.sqrt((of.days - 1) / variance))) if variance > 0 else float("nan")


def _variance(of: Moments) -> float:
    """
    Returns the variance of the estimated Sharpe ratio, times the days less one. It is never negative: the kurtosis is
    at least the squared skew plus one.
    """
    return 1 - of.skew * of.sharpe + (of.kurtosis - 1) / 4 * of.sharpe**2


def checked(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Gives back returns of shape (n_days,). Raises SampleError: fewer than MIN_DAYS days, nan or inf, or no variation.
    """
    if returns.ndim != 1 or len(returns) < MIN_DAYS:
        raise SampleError(f"needs one row of at least {MIN_DAYS} daily returns, got shape {returns.shape}.")
    if not np.isfinite(returns).all():
        raise SampleError(
            f"returns hold {np.count_nonzero(~np.isfinite(returns))} nan or inf; fill or drop them first."
        )
    if np.isnan(sharpe(returns)):
        raise SampleError("returns do not vary, so a Sharpe ratio does not exist.")
    return returns


def daily_sharpes(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    (n_trials,) Sharpe ratios per day, of shape (n_trials, n_days); nan where a row has nan or inf, or does not vary.
    """
    sharpes = np.full(len(returns), np.nan)
    defined = has_sharpe(returns)
    if defined.any():
        sharpes[defined] = returns[defined].mean(axis=1) / returns[defined].std(axis=1, ddof=1)
    return sharpes


def has_sharpe(returns: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n_trials,) whether a row is finite and varies, by the rule of `metrics.sharpe`; of shape (n_trials, n_days)."""
    if returns.shape[1] < 2:
        return np.zeros(len(returns), dtype=np.bool_)
    finite = np.isfinite(returns).all(axis=1, keepdims=True)
    filled = np.where(finite, returns, 0.0)
    return np.ptp(filled, axis=1) > 4 * np.finfo(float).eps * np.abs(filled).max(axis=1)
