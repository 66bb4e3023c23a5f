"""The picture of several runs: who finds what, at equal numbers of trials."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.style import FAINT, LINES, LUCK, apart, canvas, keep_in_sight, whole, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 130
TINTS = tuple(tint for tint in LINES if tint != LUCK)
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
"""Of the medians: who sees no colours tells agents apart by them."""


@dataclass(frozen=True, slots=True)
class Racer:
    """One run."""

    agent: str  # runs of one agent share a colour and a median
    run: str
    # by own trial, the best Sharpe ratio that was kept so far, annualised; nan before the first
    best: tuple[float, ...]


def length(racers: Sequence[Racer]) -> int:
    """Trials that every run has."""
    return min((len(one.best) for one in racers), default=0)


def median(racers: Sequence[Racer], n: int) -> NDArray[np.float64]:
    """(n,) of the runs' best so far; a run that has kept nothing yet is below all others, and where it decides, nan."""
    table = np.array([one.best[:n] for one in racers], dtype=float)
    middle = np.median(np.where(np.isnan(table), -np.inf, table), axis=0)
    return np.where(np.isfinite(middle), middle, np.nan)


def draw(racers: Sequence[Racer], luck_line: float, trials: int) -> "Figure":
    """
    Thin: the best that each run kept so far, by its own trials. Thick: the median of an agent's runs. All are cut at
    the smallest number of trials, so that nobody is ahead by having tried more. `luck_line` is that of all `trials` of
    the arena.
    """
    if not (n := length(racers)):
        return words("No run has a trial yet: `uv run drive.py --seeds 1..4` plays four.")
    figure = canvas(5.2)
    axis = figure.add_subplot()
    numbers = np.arange(1, n + 1)
    agents = list(dict.fromkeys(one.agent for one in sorted(racers, key=lambda one: one.agent)))
    ends: list[tuple[float, str, str]] = []
    for k, agent in enumerate(agents):
        mine, tint = [one for one in racers if one.agent == agent], TINTS[k % len(TINTS)]
        for one in mine:
            axis.step(numbers, one.best[:n], where="post", color=tint, lw=0.9, alpha=0.55, zorder=2)
        middle = median(mine, n)
        axis.step(
            numbers,
            middle,
            where="post",
            color=tint,
            lw=3,
            ls=DASHES[k % len(DASHES)],
            zorder=3,
            label=f"{agent}, median of {len(mine)}",
        )
        ends.append((float(middle[-1]), f"{agent} {middle[-1]:.2f}", tint))
    if not math.isnan(luck_line):
        axis.axhline(luck_line, color=LUCK, lw=1.8, ls="--", zorder=1, label=f"luck line of all {trials} trials")
    axis.axhline(0, color="black", lw=0.5)
    keep_in_sight(axis, [luck_line, *(value for one in racers for value in one.best[:n])])
    axis.set_xlim(0.5, n + max(0.13 * n, 1.0))
    _label(axis, ends, n)
    most = max(len(one.best) for one in racers)
    cut = f", cut where the shortest ended (the longest has {most})" if most > n else ""
    axis.set_title(f"best kept so far of {len(racers)} runs at {n} trials each{cut}", fontsize=10)
    axis.set_xlabel("trial of the run's own, failed and discarded ones included")
    axis.set_ylabel("Sharpe a year, marked to market, search range")
    whole(axis)
    axis.legend(fontsize=8, ncols=4, handlelength=3.2, loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False)
    return figure


def _label(axis: "Axes", ends: list[tuple[float, str, str]], n: int) -> None:
    """Who ends where, beside the last trial."""
    known = [end for end in ends if not math.isnan(end[0])]
    low, high = axis.get_ylim()
    heights = apart([end[0] for end in known], 0.045 * (high - low))
    for height, (end, text, tint) in zip(heights, known, strict=True):
        axis.annotate(
            text,
            (n, height),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color="0.15",
            zorder=4,
        )
        axis.plot([n], [end], marker="s", ms=4, color=tint, clip_on=False, zorder=4)
    if len(known) < len(ends):
        axis.annotate(
            "a median without a figure: half of the runs kept nothing",
            (0.99, 0.02),
            xycoords="axes fraction",
            ha="right",
            fontsize=8,
            color=FAINT,
        )
