"""How sure a Sharpe ratio is. Pure functions of arrays; randomness is passed in."""

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from numpy.typing import NDArray

from arena.errors import SampleError
from arena.metrics import sharpe

MIN_DAYS = 30
REPETITIONS = 1000


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
        Lower and upper end, annualised with sqrt(365). The coverage is approximate, and it speaks of this one
        strategy alone: it knows nothing of the trials that were made to find it.

    Raises
    ------
    SampleError
        Fewer than MIN_DAYS days, nan or inf, or returns that do not vary.

    Source
    ------
    Politis and Romano (1994), The Stationary Bootstrap, J. American Statistical Association 89(428), 1303-1313,
    doi:10.1080/01621459.1994.10476870; block length by Politis and White (2004), doi:10.1081/ETC-120028836, with the
    correction of Patton, Politis and White (2009), doi:10.1080/07474930802459016.
    """
    if returns.ndim != 1 or len(returns) < MIN_DAYS:
        raise SampleError(f"needs one row of at least {MIN_DAYS} daily returns, got shape {returns.shape}.")
    if not np.isfinite(returns).all():
        raise SampleError(f"returns hold {np.count_nonzero(~np.isfinite(returns))} nan or inf; fill or drop them first.")
    if np.isnan(sharpe(returns)):
        raise SampleError("returns do not vary, so a Sharpe ratio does not exist.")
    block = max(1.0, float(optimal_block_length(returns)["stationary"].iloc[0]))
    bootstrap = StationaryBootstrap(block, returns, seed=rng)
    draws = np.array([sharpe(sample[0]) for sample, _ in bootstrap.bootstrap(REPETITIONS)])
    draws = draws[np.isfinite(draws)]  # a resample of a strategy that hardly trades may hold no trade
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
