"""
How much of the best may be luck: how similar the trials are, how many independent ones they amount to, and the
probability of overfitting.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from analysis.style import BEST, LUCK, PLAIN, VALIDATION, canvas, whole, words
from analysis.timeline import Story, Tried

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 30
"""Most trials whose rows are named."""


def correlations(of: Story) -> "Figure":
    """Draws correlations of the trials' daily returns, by family, and the number of independent trials over time."""
    order = _families(of)
    if len(order) < 2:
        return words(f"Correlations need two trials with returns that vary; there {'is one' if order else 'is none'}.")
    figure = canvas(5.0)
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    drawn = left.imshow(np.corrcoef([trial.returns for trial in order]), cmap="PuOr_r", vmin=-1, vmax=1)
    figure.colorbar(drawn, ax=left, shrink=0.8, pad=0.02)
    if len(order) <= NAMED:
        left.set_yticks(range(len(order)), [f"{trial.strategy} #{trial.number}" for trial in order], fontsize=7)
        left.set_xticks(range(len(order)), [f"#{trial.number}" for trial in order], fontsize=7, rotation=90)
    else:
        left.set_xticks([])
        left.set_yticks([])
    left.set_title("correlation of daily returns", fontsize=10)
    now = of.evidence()
    _effective(right, of, now.effective)
    return figure


def _families(of: Story) -> list[Tried]:
    """Returns trials with comparable returns, grouped by strategy, in the order of the strategies' first trials."""
    trials = [trial for trial in of.earned() if not math.isnan(trial.sharpe) and len(trial.returns)]
    if not trials:
        return []
    days = len(trials[-1].returns)
    first = {name: k for k, name in reversed(list(enumerate(trial.strategy for trial in trials)))}
    return sorted(
        (trial for trial in trials if len(trial.returns) == days),
        key=lambda trial: (first[trial.strategy], trial.number),
    )


def _effective(axis: "Axes", of: Story, now: float) -> None:
    """Draws the number of independent trials as recorded with each trial, and today's."""
    recorded = [
        (trial.result.evidence.trials, trial.result.evidence.effective)
        for trial in of.tried
        if not math.isnan(trial.result.evidence.effective)
    ]
    most = max([of.known.count, *(count for count, _ in recorded)])
    axis.plot([1, most], [1, most], color=BEST, lw=0.8, ls=":", label="if all were independent")
    if recorded:
        axis.plot(*zip(*sorted(recorded), strict=True), "o-", color=PLAIN, ms=4, lw=1.4, label="as recorded")
    if not math.isnan(now):
        axis.plot(of.known.count, now, "D", color=VALIDATION, ms=7, label="all trials, today")
    axis.set_xlabel("trials so far, failed ones included")
    axis.set_ylabel("independent trials")
    axis.set_title(f"{of.known.count} trials amount to {now:.1f} independent ones", fontsize=10)
    axis.set_ylim(bottom=0)
    whole(axis)
    axis.legend(fontsize=8, loc="upper left")


def overfitting(of: Story) -> "Figure":
    """Draws the probability of backtest overfitting as recorded with each trial, and today's."""
    now = of.evidence().pbo
    recorded = [
        (trial.number, trial.result.evidence.pbo) for trial in of.tried if not math.isnan(trial.result.evidence.pbo)
    ]
    if math.isnan(now) and not recorded:
        return words("PBO needs two different trials with returns of enough days; there are fewer.")
    figure = canvas(3.6)
    axis = figure.add_subplot()
    if recorded:
        axis.plot(*zip(*recorded, strict=True), "o-", color=PLAIN, ms=4, lw=1.4, label="as recorded with each trial")
    if not math.isnan(now):
        axis.plot(len(of.tried), now, "D", color=VALIDATION, ms=7, label="all trials, today")
    axis.axhline(0.5, color=LUCK, lw=1.8, ls="--", label="the choice is luck")
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlim(0.5, max(len(of.tried), 5) + 0.5)
    axis.set_xlabel("trial, in the order of time")
    axis.set_ylabel("probability")
    axis.set_title(
        f"probability that the best in one half of the days is below the median in the other: {now:.2f}", fontsize=10
    )
    whole(axis)
    axis.legend(fontsize=8, loc="upper right")
    return figure
