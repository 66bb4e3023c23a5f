"""
What judge.py tells: what opening the holdout could show, what it showed, and how archived strategies did since. `key:
value` lines.
"""

import math
from collections.abc import Iterator, Sequence

from arena.stats import holdout_test
from arena.stats.holdout_test import Judgement, Stretch
from arena.text import printable
from judge.forward import Score
from judge.holdout import Plan

UNLIKELY = 0.5
"""A strategy that is confirmed less often than this, were it as good as in the search, can hardly be."""


def before(made: Plan) -> str:
    """What would be opened, for whom, and what it can tell at all."""
    return "\n".join(_before(made))


def _before(made: Plan) -> Iterator[str]:
    yield f"version:    {made.version}, strategies of commit {made.commit}"
    if not made.later:
        yield "holdout:    there is none in config.json; the run is archived, and nothing can be confirmed"
        return
    holdout, seen = made.later[-1], made.prospect
    yield (
        f"holdout:    {holdout.start:%Y-%m-%d} to {holdout.end:%Y-%m-%d}, {seen.days} days; opened for "
        f"{made.before} "
        f"sources so far, {seen.openings - made.before} more now"
    )
    yield (
        f"power:      {seen.days} days are too short to confirm anything"
        if math.isnan(seen.detectable)
        else f"power:      a true Sharpe of {seen.detectable:.2f} would be found in 80 of 100 cases, at a level of "
        f"{seen.level:.4f} for each"
    )
    for one in made.candidates:
        if one.trial.error_kind:
            yield f"  {one.strategy.name}: failed in the search, not opened for it"
        elif one.known:
            yield f"  {one.strategy.name}: {one.known.verdict} when it was opened for {one.known.version}; that stands"
        else:
            chance = holdout_test.power(one.sharpe, seen)
            hardly = "" if chance >= UNLIKELY else ": it can hardly be confirmed"
            yield (
                f"  {one.strategy.name}: Sharpe {one.sharpe:.2f} in the search; were that true, it is confirmed "
                f"with "
                f"probability {chance:.2f}{hardly}"
            )


def after(judged: Sequence[Judgement]) -> str:
    """A block for each strategy."""
    return "\n".join(line for one in judged for line in _after(one))


def _after(one: Judgement) -> Iterator[str]:
    yield from ("---", f"strategy:   {one.strategy}", f"verdict:    {one.verdict}: {printable(one.why)}")
    for name, part in (("search", one.search), ("validation", one.validation), ("holdout", one.holdout)):
        if part:
            yield f"{name + ':':<12}{_stretch(part)}"
    if one.holdout:
        yield f"ci95:       {one.low:.2f} {one.high:.2f}"
        yield f"relabel:    sharpe={one.relabel_sharpe:.2f} over all ranges"


def _stretch(part: Stretch) -> str:
    return (
        f"days={part.days} sharpe={part.sharpe:.4f} profit_pct={100 * part.profit:.2f} "
        f"dd_pct={-100 * part.max_drawdown:.2f} "
        f"bah_sharpe={part.hold_sharpe:.4f} bah_profit_pct={100 * part.hold_profit:.2f}"
    )


def since(scores: Sequence[Score]) -> str:
    """One line a strategy."""
    return "\n".join(
        f"{one.version} {one.strategy}: {one.first} to {one.last} days={one.days} sharpe={one.sharpe:.2f} "
        f"profit_pct={100 * one.profit:.2f} "
        f"dd_pct={-100 * one.max_drawdown:.2f} bah_sharpe={one.hold_sharpe:.2f} "
        f"band={one.band_low:.2f}..{one.band_high:.2f} {one.word}"
        for one in scores
    )
