"""
judge.py's `key: value` lines: what opening the holdout could show, what it showed, how archived strategies did since.
"""

import math
from collections.abc import Iterator, Sequence

from arena.stats import holdout_test
from arena.stats.holdout_test import Judgement, Stretch
from arena.text import printable
from judge.forward import Score
from judge.holdout import Plan

UNLIKELY = 0.5
"""Power below which a strategy can hardly be confirmed, even if it is as good as in the search."""


def before(made: Plan) -> str:
    """Returns what would be opened, for which strategies, and what that can show."""
    return "\n".join(_before(made))


def _before(plan: Plan) -> Iterator[str]:
    yield f"version:    {plan.version}, strategies of commit {plan.commit}"
    if not plan.later:
        yield "holdout:    there is none in config.json; the run is archived, and nothing can be confirmed"
        return
    holdout, prospect = plan.later[-1], plan.prospect
    yield (
        f"holdout:    {holdout.start:%Y-%m-%d} to {holdout.end:%Y-%m-%d}, {prospect.days} days; opened for "
        f"{plan.before} "
        f"sources so far, {prospect.openings - plan.before} more now"
    )
    yield (
        f"power:      {prospect.days} days are too short to confirm anything"
        if math.isnan(prospect.detectable)
        else f"power:      a true Sharpe of {prospect.detectable:.2f} would be found in 80 of 100 cases, at a level of "
        f"{prospect.level:.4f} for each"
    )
    for candidate in plan.candidates:
        if candidate.trial.error_kind:
            yield f"  {candidate.strategy.name}: failed in the search, not opened for it"
        elif candidate.known:
            yield (
                f"  {candidate.strategy.name}: {candidate.known.verdict} when it was opened for "
                f"{candidate.known.version}; that stands"
            )
        else:
            chance = holdout_test.power(candidate.sharpe, prospect)
            hardly = "" if chance >= UNLIKELY else ": it can hardly be confirmed"
            yield (
                f"  {candidate.strategy.name}: Sharpe {candidate.sharpe:.2f} in the search; were that true, it is "
                f"confirmed with "
                f"probability {chance:.2f}{hardly}"
            )


def after(judged: Sequence[Judgement]) -> str:
    """Returns a block per strategy."""
    return "\n".join(line for judgement in judged for line in _after(judgement))


def _after(judgement: Judgement) -> Iterator[str]:
    yield from (
        "---",
        f"strategy:   {judgement.strategy}",
        f"verdict:    {judgement.verdict}: {printable(judgement.why)}",
    )
    for name, part in (
        ("search", judgement.search),
        ("validation", judgement.validation),
        ("holdout", judgement.holdout),
    ):
        if part:
            yield f"{name + ':':<12}{_stretch(part)}"
    if judgement.holdout:
        yield f"ci95:       {judgement.low:.2f} {judgement.high:.2f}"
        yield f"relabel:    sharpe={judgement.relabel_sharpe:.2f} over all ranges"


def _stretch(part: Stretch) -> str:
    return (
        f"days={part.days} sharpe={part.sharpe:.4f} profit_pct={100 * part.profit:.2f} "
        f"dd_pct={-100 * part.max_drawdown:.2f} "
        f"bah_sharpe={part.hold_sharpe:.4f} bah_profit_pct={100 * part.hold_profit:.2f}"
    )


def since(scores: Sequence[Score]) -> str:
    """Returns one line per strategy."""
    return "\n".join(
        f"{score.version} {score.strategy}: {score.first} to {score.last} days={score.days} sharpe={score.sharpe:.2f} "
        f"profit_pct={100 * score.profit:.2f} "
        f"dd_pct={-100 * score.max_drawdown:.2f} bah_sharpe={score.hold_sharpe:.2f} "
        f"band={score.band_low:.2f}..{score.band_high:.2f} {score.word}"
        for score in scores
    )
