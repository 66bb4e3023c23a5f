"""What trials are worth beyond one figure: drawdown, windows, pairs, and the gates that said no."""

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.style import BEST, BOTTOM, FAILED, FATES, LUCK, PLAIN, bars, canvas, keep_in_sight, words
from analysis.timeline import Story, Tried
from arena.stats import gates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXTS = 14
"""Most columns of a heat map whose cells show their figures."""
NAMED = 8
"""Most trials of the front that are named."""
HOLD = "buy and hold"


def drawdowns(of: Story) -> "Figure":
    """Drawdown against Sharpe of every trial, with the front: those that no other one beats in both."""
    known = [one for one in of.earned() if not math.isnan(one.sharpe) and not math.isnan(one.max_drawdown)]
    if not known:
        return words("No trial has a Sharpe ratio and a drawdown yet.")
    figure = canvas(4.8)
    axis = figure.add_subplot()
    for label, tint in FATES.items():
        mine = [one for one in known if one.fate == label]
        if mine:
            inside = [one for one in mine if one.sharpe >= BOTTOM]
            axis.scatter(
                [100 * one.max_drawdown for one in inside],
                [one.sharpe for one in inside],
                s=38,
                color=tint,
                label=f"{label} ({len(mine)})",
                zorder=3,
            )
    if passed := [one for one in known if one.passed]:
        at = [100 * one.max_drawdown for one in passed], [one.sharpe for one in passed]
        axis.scatter(
            *at,
            s=90,
            facecolors="none",
            edgecolors=BEST,
            linewidths=0.9,
            label=f"every gate before the evidence ({len(passed)})",
            zorder=4,
        )
    best = front(known)
    axis.step(
        [100 * one.max_drawdown for one in best],
        [one.sharpe for one in best],
        where="post",
        color=BEST,
        lw=1.0,
        label="front",
        zorder=2,
    )
    for one in best[-NAMED:]:
        place = 100 * one.max_drawdown, one.sharpe
        # there is no room between it and the axis
        near = place[0] < 0.25 * max(100 * one.max_drawdown for one in known)
        side: dict[str, Any] = {"xytext": (4, 7), "ha": "left"} if near else {"xytext": (-7, 5), "ha": "right"}
        axis.annotate(f"{one.strategy} #{one.number}", place, textcoords="offset points", fontsize=8, zorder=5, **side)
    axis.margins(x=0.06, y=0.12)
    if (edge := keep_in_sight(axis, [one.sharpe for one in known])) is not None:
        low = [one for one in known if one.sharpe < BOTTOM]
        colors = [FATES[one.fate] for one in low]
        axis.scatter(
            [100 * one.max_drawdown for one in low],
            [edge] * len(low),
            s=38,
            marker="v",
            c=colors,
            label=f"below {BOTTOM:g} ({len(low)})",
        )
    axis.axvline(100 * of.settings.gates.max_drawdown, color=LUCK, lw=1.8, ls="--", label="gate: max_drawdown")
    axis.axhline(0, color="black", lw=0.5)
    axis.set_xlim(left=0)
    axis.set_xlabel("max drawdown in %, marked at every candle")
    axis.set_ylabel("Sharpe a year, search range")
    axis.set_title(f"{len(known)} trials with figures, the front of {len(best)}", fontsize=10)
    axis.legend(fontsize=8, ncols=6, loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)
    return figure


def front(of: list[Tried]) -> list[Tried]:
    """Trials than which no other has a higher Sharpe at no deeper drawdown, the shallowest first."""
    found: list[Tried] = []
    for one in sorted(of, key=lambda one: (one.max_drawdown, -one.sharpe)):
        if not found or one.sharpe > found[-1].sharpe:
            found.append(one)
    return found


def heatmaps(of: Story) -> "Figure":
    """Sharpe by window and profit by pair of the shown trials, above those of holding."""
    title, shown = of.shown()
    if not shown:
        return words("No trial has figures by window and pair yet.")
    windows = [each.window for each in shown[0].result.windows]
    pairs = list(dict.fromkeys([*of.settings.pairs, *(each.pair for one in shown for each in one.result.pairs)]))
    by_window = [[each.own.sharpe for each in one.result.windows] for one in shown] + [
        [each.hold.sharpe for each in shown[0].result.windows]
    ]
    own = [{each.pair: 100 * each.profit for each in one.result.pairs} for one in shown]
    hold = {each.pair: 100 * each.hold_profit for one in shown for each in one.result.pairs}
    by_pair = [[row.get(pair, math.nan) for pair in pairs] for row in (*own, hold)]
    names = [*(f"{one.strategy} #{one.number}" for one in shown), HOLD]
    figure = canvas(1.5 + 0.42 * len(names))
    figure.suptitle(title, fontsize=10)
    left, right = figure.subplots(1, 2, width_ratios=[max(len(windows), 2), max(len(pairs), 2)])
    _heat(left, np.array(by_window), windows, 2)
    left.set_title("Sharpe by window", fontsize=9)
    left.set_yticks(range(len(names)), names, fontsize=8)
    _heat(right, np.array(by_pair), [pair.split("/")[0] for pair in pairs], 0)
    right.set_title("profit by pair, % of the wallet; holding: % of the pair alone", fontsize=9)
    right.set_yticks([])
    return figure


def _heat(axis: "Axes", values: NDArray[np.float64], columns: list[str], digits: int) -> None:
    """
    Brown below zero, green above; (n_rows, n_columns), the last row holding. The scale is that of the trials, in which
    holding, which may have made tenfold, would drown; what nobody traded is grey.
    """
    from matplotlib import colormaps

    known = values[:-1][np.isfinite(values[:-1])]
    reach = float(np.abs(known).max(initial=0)) or 1.0
    shades = colormaps["BrBG"].with_extremes(bad="0.88")
    axis.imshow(np.ma.masked_invalid(values), cmap=shades, vmin=-reach, vmax=reach, aspect="auto")
    crowded = len(columns) > 6
    axis.set_xticks(range(len(columns)), columns, fontsize=8, rotation=90 if crowded else 0)
    axis.axhline(len(values) - 1.5, color="white", lw=3)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    if len(columns) > TEXTS:
        return
    for (i, k), value in np.ndenumerate(values):
        text = "–" if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"  # no minus before a zero
        dark = abs(value) > 0.6 * reach
        axis.text(k, i, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")


def gates_failed(of: Story) -> "Figure":
    """How many trials each gate refused; failures that no gate stands for, such as a crash, by the error's name."""
    if not of.tried:
        return words("No trial yet, so no gate has said no.")
    counts = Counter(name for one in of.tried for name in _refused(one))
    if not counts:
        return words(f"No gate has said no to any of {len(of.tried)} trials.")
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = [name for name, _ in common]
    figure = canvas(1.1 + 0.22 * len(names))
    axis = figure.add_subplot()
    tints = [
        LUCK
        if name in gates.EVIDENCE
        else FAILED
        if name.endswith("Error") or name in gates.BROKEN_BY.values()
        else PLAIN
        for name in names
    ]
    bars(axis, names, [count for _, count in common], tints)
    axis.set_xlabel(f"trials, of {len(of.tried)}")
    axis.set_title(
        "what said no; red: the trial has no figures, blue: it was not earned, yellow: it may be luck", fontsize=10
    )
    return figure


def _refused(one: Tried) -> list[str]:
    """Names of what said no; validation alone is left out where it was not asked."""
    if one.failed and not one.result.gates:
        return [one.failed]
    return [
        gate.gate
        for gate in one.result.gates
        if gate.applies and not gate.passed and (gate.gate != "validation" or one.result.look.asked)
    ]
