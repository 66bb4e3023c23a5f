"""
Shared by all pictures: colours that colour-blind readers can tell apart, sizes, and a text where there is nothing to
draw.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), Color Universal Design
KEPT, DISCARDED, FAILED, LUCK, BEST, VALIDATION = "#009E73", "0.72", "#D55E00", "#E69F00", "black", "#0072B2"
FATES = {"of other searches": "#DCCFE6", "discarded": DISCARDED, "kept": KEPT}
"""Outcomes of a trial, in drawing order."""
LINES = ("#0072B2", "#CC79A7", "#E69F00", "#56B4E9", "#009E73", "#D55E00")
"""Colours of strategies; they repeat from the seventh on. The first ones differ from those of kept and failed."""
FAINT, PLAIN = "0.6", "#56B4E9"
WIDTH = 10.0
"""Width of every picture, in inches."""
BOTTOM = -2.0
"""
Lowest Sharpe ratio in a picture. Below it fees eat everything, how far below says nothing, and it would squeeze all
others.
"""


def canvas(height: float = 4.6) -> "Figure":
    """
    Returns an empty figure, `height` inches high. It bypasses pyplot, so nothing stays open and no window appears.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), dpi=110, layout="constrained")


def words(text: str) -> "Figure":
    """Returns a figure that says why there is nothing to draw."""
    figure = canvas(1.2)
    axis = figure.add_subplot()
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=11, color="0.3", wrap=True, transform=axis.transAxes)
    return figure


def color(k: int) -> str:
    return LINES[k % len(LINES)]


def whole(axis: "Axes") -> None:
    """Sets the ticks of the horizontal axis at whole numbers only."""
    axis.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]  # a MaxNLocator


def keep_in_sight(axis: "Axes", sharpes: Iterable[float]) -> float | None:
    """
    Ends the vertical axis at BOTTOM if a Sharpe ratio lies below it.

    Returns the height at which to mark lower values; None if all are in sight.
    """
    defined = [value for value in sharpes if not math.isnan(value)]
    if not defined or min(defined) >= BOTTOM:
        return None
    top = max(max(defined), 0.5)
    axis.set_ylim(BOTTOM - 0.1 * (top - BOTTOM), top + 0.06 * (top - BOTTOM))
    return BOTTOM - 0.05 * (top - BOTTOM)


def apart(heights: list[float], least: float) -> list[float]:
    """Returns label heights at least `least` apart, in the given order, each as near to its own height as possible."""
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    blocks: list[list[int]] = []
    centres: list[float] = []
    for k in order:
        block, centre = [k], heights[k]
        while blocks and centre - centres[-1] < least * (len(block) + len(blocks[-1])) / 2:
            before = blocks.pop()
            centre = (centre * len(block) + centres.pop() * len(before)) / (len(block) + len(before))
            block = before + block
        blocks.append(block)
        centres.append(centre)
    placed = [0.0] * len(heights)
    for block, centre in zip(blocks, centres, strict=True):
        for i, k in enumerate(block):
            placed[k] = centre + (i - (len(block) - 1) / 2) * least
    return placed


def bars(axis: "Axes", names: list[str], counts: list[int], tint: str | list[str]) -> None:
    """Draws horizontal bars with their counts, the first on top."""
    drawn = axis.barh(range(len(names)), counts, color=tint, height=0.72)
    axis.bar_label(drawn, padding=3, fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.06, y=0.02)
    whole(axis)
