"""
The picture of a run: every trial, the best that was kept so far, and the line that luck alone would reach.

Usage:
    uv run python -m analysis.frontier [FILE]     # default: frontier.png
"""

import argparse
import io
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from analysis import timeline
from analysis.style import BEST, BOTTOM, FAILED, FATES, LUCK, VALIDATION, canvas, keep_in_sight, whole, words
from analysis.timeline import Story
from arena.cli import told
from arena.errors import ArenaError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path("frontier.png"), help="png, svg or pdf (default: frontier.png)"
    )
    file = parser.parse_args().file
    story = timeline.read(Path.cwd())
    try:
        draw(story).savefig(file, dpi=DPI)
    except ValueError as error:
        raise ArenaError(f"{file}: {error}") from None
    print(
        f"{file}: {len(story.tried)} trials, {sum(trial.kept for trial in story.tried)} kept, contract "
        f"{story.contract[:8]}"
    )
    return 0


def png(root: Path) -> bytes:
    """Returns the picture of a folder's run."""
    file = io.BytesIO()
    draw(timeline.read(root)).savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def draw(of: Story) -> "Figure":
    """Draws each trial as a dot in order of time; failed ones below the axis, those below BOTTOM at its lower edge."""
    if not of.tried:
        return words("No trial yet: `uv run run.py` evaluates and records the strategies.")
    figure = canvas(5.2)
    axis = figure.add_subplot()
    earned = of.earned()
    for label, color in FATES.items():
        mine = [trial for trial in earned if trial.fate == label and not math.isnan(trial.sharpe)]
        if mine:
            inside = [trial for trial in mine if trial.sharpe >= BOTTOM]
            axis.scatter(
                [trial.number for trial in inside],
                [trial.sharpe for trial in inside],
                s=30,
                color=color,
                label=f"{label} ({len(mine)})",
                zorder=3,
            )
    numbers = [trial.number for trial in of.tried]
    best = of.running_best()
    if not all(map(math.isnan, best)):
        axis.step(numbers, best, where="post", color=BEST, lw=1.2, label="best kept so far", zorder=2)
    line = [(trial.number, trial.luck_line) for trial in of.tried if not math.isnan(trial.luck_line)]
    if line:
        axis.step(
            *zip(*line, strict=True), where="mid", color=LUCK, lw=1.8, ls="--", label="luck line of then", zorder=2
        )
    validated = [trial for trial in of.tried if not math.isnan(trial.validation)]
    if validated:
        axis.scatter(
            [trial.number for trial in validated], [trial.validation for trial in validated], s=60, marker="D",
            facecolors="none", edgecolors=VALIDATION, linewidths=1.5,
            label="new best in the validation window", zorder=4,
        )  # fmt: skip
    failed = [trial.number for trial in of.tried if trial.failed]
    if failed:
        axis.plot(
            failed, [0.02] * len(failed), "|", color=FAILED, ms=11, mew=2, transform=axis.get_xaxis_transform(),
            label=f"failed ({len(failed)})"
        )  # fmt: skip
    if (edge := keep_in_sight(axis, [trial.sharpe for trial in earned])) is not None:
        low = [trial for trial in earned if trial.sharpe < BOTTOM]
        colors = [FATES[trial.fate] for trial in low]
        axis.scatter(
            [trial.number for trial in low],
            [edge] * len(low),
            s=34,
            marker="v",
            c=colors,
            label=f"below {BOTTOM:g} ({len(low)})",
            zorder=3,
        )
    axis.axhline(0, color="black", lw=0.5)
    axis.set_xlim(0.5, max(numbers[-1] + 0.5, 5.5))
    axis.set_xlabel("trial, in the order of time")
    axis.set_ylabel("Sharpe a year, marked to market, search range")
    axis.set_title(f"{len(of.tried)} trials on {of.source}, {of.search}, contract {of.contract[:8]}", fontsize=10)
    whole(axis)
    axis.legend(
        fontsize=8,
        ncols=7,
        columnspacing=1.1,
        handletextpad=0.5,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        frameon=False,
    )
    return figure


def cli() -> int:
    return told(main, "frontier", "No picture was written.")


if __name__ == "__main__":
    sys.exit(cli())
