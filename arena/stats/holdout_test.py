"""
Tests one strategy on the holdout: how much the holdout can show at all, and what it showed. Pure.

A strategy was chosen before these days, so one test over them is honest. Several strategies are several tests, so the
level is divided by the number of all sources that the holdout was ever opened for (Bonferroni).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.errors import SampleError
from arena.stats import significance
from arena.stats.metrics import DAYS_A_YEAR, sharpe

ALPHA = 0.05
"""Largest probability that any one of all strategies that the holdout was opened for is confirmed without skill."""
POWER = 0.8
CONFIRMED, REJECTED, OPEN = "confirmed", "rejected", "not enough evidence"


@dataclass(frozen=True, slots=True)
class Stretch:
    """One range of a continuous run. nan: undefined."""

    days: int = 0
    sharpe: float = math.nan
    profit: float = math.nan  # as a fraction of the equity at its start
    max_drawdown: float = math.nan  # nan where it was not measured
    hold_sharpe: float = math.nan
    hold_profit: float = math.nan


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found when the holdout was opened for one source."""

    strategy: str
    sha256: str
    version: str  # of the archive
    verdict: str  # CONFIRMED, REJECTED or OPEN
    why: str
    search: Stretch
    validation: Stretch | None
    holdout: Stretch | None
    low: float = math.nan  # 95 % interval of the holdout's Sharpe
    high: float = math.nan
    probability: float = math.nan  # that the true Sharpe is above zero, from the holdout alone
    needed: float = math.nan  # probability that confirms
    power: float = math.nan  # probability to be confirmed, if it is as good as in the search
    openings: int = 0  # sources that the holdout was opened for, this one included
    engine: str = ""
    relabel_sharpe: float = math.nan  # over all ranges together
    error: str = ""  # which check it failed, over all ranges together


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a holdout of this many days can show."""

    days: int
    openings: int  # sources that it is or was opened for
    level: float  # of each test
    detectable: float  # annualised Sharpe that is found with probability POWER; nan if there is none


def prospect(days: int, openings: int) -> Prospect:
    """Returns what the holdout can show before it is opened, for `openings` sources in all."""
    level = ALPHA / max(openings, 1)
    try:
        return Prospect(days, openings, level, significance.minimum_detectable_sharpe(days, alpha=level, power=POWER))
    except SampleError:
        return Prospect(days, openings, level, math.nan)


def power(sharpe_a_year: float, seen: Prospect) -> float:
    """
    Returns the probability that a strategy of this true Sharpe is confirmed; nan if the holdout is too short to tell.
    """
    try:
        return significance.power(sharpe_a_year, seen.days, alpha=seen.level)
    except SampleError:
        return math.nan


def verdict(searched: float, returns: NDArray[np.float64], seen: Prospect, error: str = "") -> tuple[str, str, float]:
    """
    Returns CONFIRMED, REJECTED or OPEN, why in a sentence, and the probability that the true Sharpe is above zero.

    Parameters
    ----------
    searched : float
        Annualised Sharpe over the search range.
    returns : float array of shape (n_days,)
        Daily, of the holdout, as fractions, oldest first.
    seen : Prospect
    error : str
        Which check it failed; whatever it earned, that was not an edge.
    """
    if error:
        return REJECTED, error, math.nan
    if seen.days < significance.MIN_DAYS:
        return OPEN, f"{seen.days} days are too few to tell anything", math.nan
    try:
        moments = significance.moments(returns)
    except SampleError:
        return OPEN, "its account did not move there", math.nan
    ratio, above = sharpe(returns), significance.probability(moments, 0.0)
    if above >= 1 - seen.level:
        return (
            CONFIRMED,
            f"Sharpe {ratio:.2f}, above zero with probability {above:.4f}, {1 - seen.level:.4f} are needed",
            above,
        )
    as_good = significance.probability(moments, searched / np.sqrt(DAYS_A_YEAR))
    if ratio <= 0 and as_good <= ALPHA:
        return (
            REJECTED,
            f"Sharpe {ratio:.2f}; were it as good as in the search, so bad a stretch would come in {100 * as_good:.1f} "
            f"of 100 cases",
            above,
        )
    sign = "above" if ratio > 0 else "not above"
    return (
        OPEN,
        f"Sharpe {ratio:.2f} is {sign} zero, with probability {above:.4f} that it truly is, {1 - seen.level:.4f} are "
        f"needed",
        above,
    )
