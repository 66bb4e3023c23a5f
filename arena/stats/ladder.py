"""
The validation window answers through a ladder: little is told, so that asking often cannot fit it. Pure.

The released figure is the best validation Sharpe so far, and it changes only when a strategy beats it by a whole step.
Whoever asks learns whether that happened, and the new figure rounded to the step: however many ask, the error of the
released best grows with the logarithm of their number.

Source
------
Blum and Hardt (2015), The Ladder: A Reliable Leaderboard for Machine Learning Competitions, ICML,
arXiv:1502.04585. Deviations: it is a Sharpe ratio that rises and not a loss that falls; the first best is 0, what cash
earns; and a strategy that is no new best also learns the sign of its own Sharpe, which is counted as a look of its own.
Only one that would be accepted but for its validation is asked about at all.
"""

import math
from collections.abc import Iterable

from arena.records import Look

START = 0.0
"""Best so far before the first look."""


def climb(best: float, sharpe: float, step: float) -> Look:
    """
    One look.

    Parameters
    ----------
    best : float
        Released so far, a multiple of `step`; START before the first look.
    sharpe : float
        Annualised, of the validation window. nan never beats anything.
    step : float
        How much better a new best must be, and what it is rounded to; positive.
    """
    if sharpe >= best + step:
        return Look(asked=True, improved=True, best=rounded(sharpe, step))
    return Look(asked=True, improved=False, best=best)


def rounded(sharpe: float, step: float) -> float:
    """To the nearest multiple of the step, without the digits that multiplication leaves."""
    return round(round(sharpe / step) * step, 10)


def best_of(looks: Iterable[Look]) -> float:
    """The released best after these looks."""
    return max((look.best for look in looks if look.asked and not math.isnan(look.best)), default=START)


def count(looks: Iterable[Look]) -> int:
    """Answers that the validation window has given: one a look, one more where a sign was told."""
    return sum(look.asked + (look.positive is not None) for look in looks)
