"""The picture of several runs: what each finds, at equal numbers of trials."""

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
"""Line styles of the medians, which tell agents apart without colours."""


@dataclass(frozen=True, slots=True)
class Racer:
    """One run."""

    agent: str  # runs of one agent share a colour and a median
    run: str
    # by the run's own trials, the best Sharpe ratio kept so far, annualised; nan before the first
    best: tuple[float, ...]


def length(racers: Sequence[Racer]) -> int:
    """Returns the number of trials that every run has."""
    return min((len(racer.best) for racer in racers), default=0)


def median(racers: Sequence[Racer], n: int) -> NDArray[np.float64]:
    """
    Returns the (n,) median of the runs' best so far. A run that kept nothing ranks lowest, and gives nan where it
    decides.
    """
    table = np.array([racer.best[:n] for racer in racers], dtype=float)
    middle = np.median(np.where(np.isnan(table), -np.inf, table), axis=0)
    return np.where(np.isfinite(middle), middle, np.nan)


def draw(racers: Sequence[Racer], luck_line: float, trials: int) -> "Figure":
    """
    Draws the best that each run kept so far (thin) and the median of each agent's runs (thick), by the runs' own
    trials. All lines end at the smallest number of trials, so that no run is ahead by having tried more. `luck_line` is
    that of all `trials` of the arena.
    """
    if not (n := length(racers)):
        return words("No run has a trial yet: `uv run drive.py --seeds 1..4` plays four.")
    figure = canvas(5.2)
    axis = figure.add_subplot()
    numbers = np.arange(1, n + 1)
    agents = list(dict.fromkeys(racer.agent for racer in sorted(racers, key=lambda racer: racer.agent)))
    ends: list[tuple[float, str, str]] = []
    for k, agent in enumerate(agents):
        mine, tint = [racer for racer in racers if racer.agent == agent], TINTS[k % len(TINTS)]
        for racer in mine:
            axis.step(numbers, racer.best[:n], where="post", color=tint, lw=0.9, alpha=0.55, zorder=2)
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
    keep_in_sight(axis, [luck_line, *(value for racer in racers for value in racer.best[:n])])
    axis.set_xlim(0.5, n + max(0.13 * n, 1.0))
    _label(axis, ends, n)
    most = max(len(racer.best) for racer in racers)
    cut = f", cut where the shortest ended (the longest has {most})" if most > n else ""
    axis.set_title(f"best kept so far of {len(racers)} runs at {n} trials each{cut}", fontsize=10)
    axis.set_xlabel("trial of the run's own, failed and discarded ones included")
    axis.set_ylabel("Sharpe a year, marked to market, search range")
    whole(axis)
    axis.legend(fontsize=8, ncols=4, handlelength=3.2, loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False)
    return figure


def _label(axis: "Axes", ends: list[tuple[float, str, str]], n: int) -> None:
    """Writes each agent's last median beside the last trial."""
    defined = [end for end in ends if not math.isnan(end[0])]
    low, high = axis.get_ylim()
    heights = apart([end[0] for end in defined], 0.045 * (high - low))
    for height, (end, text, tint) in zip(heights, defined, strict=True):
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
    if len(defined) < len(ends):
        axis.annotate(
            "a median without a figure: half of the runs kept nothing",
            (0.99, 0.02),
            xycoords="axes fraction",
            ha="right",
            fontsize=8,
            color=FAINT,
        )
