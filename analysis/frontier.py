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

from analysis import story
from analysis.story import Story
from arena.console import told
from arena.errors import ArenaError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130
KEPT, DISCARDED, FAILED, LUCK, BEST = "tab:green", "0.7", "tab:red", "tab:orange", "black"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=Path("frontier.png"), help="png, svg or pdf (default: frontier.png)")
    file = parser.parse_args().file
    told_of = story.read(Path.cwd())
    try:
        draw(told_of).savefig(file, dpi=DPI)
    except ValueError as error:
        raise ArenaError(f"{file}: {error}") from None
    print(f"{file}: {len(told_of.tried)} trials, {sum(one.kept for one in told_of.tried)} kept, contract {told_of.contract[:8]}")
    return 0


def png(root: Path) -> bytes:
    """The picture of the run in a folder."""
    file = io.BytesIO()
    draw(story.read(root)).savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def draw(of: Story) -> "Figure":
    """Every trial as a dot in the order of time; without a figure below the axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.2), layout="constrained")
    axis = figure.add_subplot()
    earned = [one for one in of.tried if not math.isnan(one.sharpe)]
    for kept, color, label in ((False, DISCARDED, "discarded"), (True, KEPT, "kept")):
        mine = [one for one in earned if one.kept == kept]
        axis.scatter([one.number for one in mine], [one.sharpe for one in mine], s=26, color=color, label=f"{label} ({len(mine)})", zorder=3)
    numbers = [one.number for one in of.tried]
    axis.step(numbers, of.running_best(), where="post", color=BEST, lw=1.2, label="best kept so far", zorder=2)
    line = [(one.number, one.luck_line) for one in of.tried if not math.isnan(one.luck_line)]
    if line:
        axis.step(*zip(*line, strict=True), where="post", color=LUCK, lw=1.6, ls="--", label="luck line of then", zorder=2)
    asked = [one for one in of.tried if not math.isnan(one.validation)]
    if asked:
        axis.scatter(
            [one.number for one in asked], [one.validation for one in asked], s=44, marker="D", facecolors="none", edgecolors="tab:blue",
            label="new best in the validation window", zorder=4,
        )  # fmt: skip
    failed = [one.number for one in of.tried if math.isnan(one.sharpe)]
    if failed:
        axis.plot(failed, [0.015] * len(failed), "|", color=FAILED, ms=9, transform=axis.get_xaxis_transform(), label=f"failed ({len(failed)})", zorder=3)
    axis.axhline(0, color="black", lw=0.5)
    axis.set_xlabel("trial, in the order of time")
    axis.set_ylabel("Sharpe a year, marked to market, search range")
    axis.set_title(f"{len(of.tried)} trials on {of.source}, {of.search}, contract {of.contract[:8]}", fontsize=10)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(fontsize=8, loc="best", framealpha=0.9)
    return figure


def cli() -> int:
    return told(main, "frontier", "No picture was written.")


if __name__ == "__main__":
    sys.exit(cli())
