"""
The validation window answers through a ladder. It tells so little that asking often cannot fit it. Pure.

The released figure is the best validation Sharpe so far, and it changes only when a strategy beats it by a whole step.
A strategy learns whether that happened, and the new figure rounded to the step. The error of the released best grows
only with the logarithm of the number of strategies that ask.

Source
------
Blum and Hardt (2015), The Ladder: A Reliable Leaderboard for Machine Learning Competitions, ICML, arXiv:1502.04585.
Deviations: a Sharpe ratio rises, where theirs is a loss that falls; the first best is 0, what cash earns; a strategy
that is no new best also learns the sign of its own Sharpe, which counts as a look of its own. Only a strategy that
lacks nothing but the validation is asked about.
"""

import math
from collections.abc import Iterable

from arena.records import Look

START = 0.0
"""Best so far before the first look."""


def climb(best: float, sharpe: float, step: float) -> Look:
    """
    Takes one look.

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
    """Rounds to the nearest multiple of the step, without the digits that multiplication leaves."""
    return round(round(sharpe / step) * step, 10)


def best_of(looks: Iterable[Look]) -> float:
    """Returns the released best after these looks."""
    return max((look.best for look in looks if look.asked and not math.isnan(look.best)), default=START)


def count(looks: Iterable[Look]) -> int:
    """Counts the answers that the validation window has given: one per look, one more if a sign was told."""
    return sum(look.asked + (look.positive is not None) for look in looks)
