"""
What the pictures have in common: colours that colour-blind readers tell apart, sizes, and words where there is nothing
to draw.
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
"""What became of a trial, in the order in which it is drawn."""
LINES = ("#0072B2", "#CC79A7", "#E69F00", "#56B4E9", "#009E73", "#D55E00")
"""Of strategies; from the seventh on they begin again. The first ones are not those of kept and failed."""
FAINT, PLAIN = "0.6", "#56B4E9"
WIDTH = 10.0
"""Of every picture, in inches."""
BOTTOM = -2.0
"""
A Sharpe ratio below it loses everything to fees, and how much below says nothing; it would press all others together.
"""


def canvas(height: float = 4.6) -> "Figure":
    """An empty figure, `height` inches high. Not pyplot's: nothing stays open, and no window opens."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), dpi=110, layout="constrained")


def words(text: str) -> "Figure":
    """A figure that says why there is nothing to draw."""
    figure = canvas(1.2)
    axis = figure.add_subplot()
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=11, color="0.3", wrap=True, transform=axis.transAxes)
    return figure


def color(k: int) -> str:
    return LINES[k % len(LINES)]


def whole(axis: "Axes") -> None:
    """Ticks of the horizontal axis at whole numbers alone."""
    axis.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]  # a MaxNLocator


def keep_in_sight(axis: "Axes", sharpes: Iterable[float]) -> float | None:
    """
    End the vertical axis at BOTTOM where a Sharpe ratio lies below it.

    Returns the height at which what lies below is marked; None where all are in sight.
    """
    known = [value for value in sharpes if not math.isnan(value)]
    if not known or min(known) >= BOTTOM:
        return None
    top = max(max(known), 0.5)
    axis.set_ylim(BOTTOM - 0.1 * (top - BOTTOM), top + 0.06 * (top - BOTTOM))
    return BOTTOM - 0.05 * (top - BOTTOM)


def apart(heights: list[float], least: float) -> list[float]:
    """
    Heights of labels that keep at least `least` from each other, in the order given, each as near to its own as that
    allows.
    """
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
    found = [0.0] * len(heights)
    for block, centre in zip(blocks, centres, strict=True):
        for i, k in enumerate(block):
            found[k] = centre + (i - (len(block) - 1) / 2) * least
    return found


def bars(axis: "Axes", names: list[str], counts: list[int], tint: str | list[str]) -> None:
    """Horizontal bars, the first on top, with their counts."""
    drawn = axis.barh(range(len(names)), counts, color=tint, height=0.72)
    axis.bar_label(drawn, padding=3, fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.06, y=0.02)
    whole(axis)
