"""Pictures of trials beyond one figure: drawdown, windows, pairs, and the gates that failed."""

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
    """Draws drawdown against Sharpe of each trial, and the front: trials that no other one beats in both."""
    measured = [trial for trial in of.earned() if not math.isnan(trial.sharpe) and not math.isnan(trial.max_drawdown)]
    if not measured:
        return words("No trial has a Sharpe ratio and a drawdown yet.")
    figure = canvas(4.8)
    axis = figure.add_subplot()
    for label, tint in FATES.items():
        mine = [trial for trial in measured if trial.fate == label]
        if mine:
            inside = [trial for trial in mine if trial.sharpe >= BOTTOM]
            axis.scatter(
                [100 * trial.max_drawdown for trial in inside],
                [trial.sharpe for trial in inside],
                s=38,
                color=tint,
                label=f"{label} ({len(mine)})",
                zorder=3,
            )
    if passed := [trial for trial in measured if trial.passed]:
        at = [100 * trial.max_drawdown for trial in passed], [trial.sharpe for trial in passed]
        axis.scatter(
            *at,
            s=90,
            facecolors="none",
            edgecolors=BEST,
            linewidths=0.9,
            label=f"every gate before the evidence ({len(passed)})",
            zorder=4,
        )
    best = front(measured)
    axis.step(
        [100 * trial.max_drawdown for trial in best],
        [trial.sharpe for trial in best],
        where="post",
        color=BEST,
        lw=1.0,
        label="front",
        zorder=2,
    )
    for trial in best[-NAMED:]:
        place = 100 * trial.max_drawdown, trial.sharpe
        near = place[0] < 0.25 * max(100 * trial.max_drawdown for trial in measured)  # no room left of the point
        side: dict[str, Any] = {"xytext": (4, 7), "ha": "left"} if near else {"xytext": (-7, 5), "ha": "right"}
        axis.annotate(
            f"{trial.strategy} #{trial.number}", place, textcoords="offset points", fontsize=8, zorder=5, **side
        )
    axis.margins(x=0.06, y=0.12)
    if (edge := keep_in_sight(axis, [trial.sharpe for trial in measured])) is not None:
        low = [trial for trial in measured if trial.sharpe < BOTTOM]
        colors = [FATES[trial.fate] for trial in low]
        axis.scatter(
            [100 * trial.max_drawdown for trial in low],
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
    axis.set_title(f"{len(measured)} trials with figures, the front of {len(best)}", fontsize=10)
    axis.legend(fontsize=8, ncols=6, loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)
    return figure


def front(of: list[Tried]) -> list[Tried]:
    """Returns trials for which no other has a higher Sharpe at no deeper drawdown, the shallowest first."""
    best: list[Tried] = []
    for trial in sorted(of, key=lambda trial: (trial.max_drawdown, -trial.sharpe)):
        if not best or trial.sharpe > best[-1].sharpe:
            best.append(trial)
    return best


def heatmaps(of: Story) -> "Figure":
    """Draws Sharpe by window and profit by pair of the shown trials, above those of buy-and-hold."""
    title, shown = of.shown()
    if not shown:
        return words("No trial has figures by window and pair yet.")
    windows = [each.window for each in shown[0].result.windows]
    pairs = list(dict.fromkeys([*of.settings.pairs, *(each.pair for trial in shown for each in trial.result.pairs)]))
    by_window = [[each.own.sharpe for each in trial.result.windows] for trial in shown] + [
        [each.hold.sharpe for each in shown[0].result.windows]
    ]
    own = [{each.pair: 100 * each.profit for each in trial.result.pairs} for trial in shown]
    hold = {each.pair: 100 * each.hold_profit for trial in shown for each in trial.result.pairs}
    by_pair = [[row.get(pair, math.nan) for pair in pairs] for row in (*own, hold)]
    names = [*(f"{trial.strategy} #{trial.number}" for trial in shown), HOLD]
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
    Draws (n_rows, n_columns) values, brown below zero, green above; the last row is buy-and-hold. Only the trials set
    the scale: a tenfold gain of buy-and-hold would hide them. What nobody traded is grey.
    """
    from matplotlib import colormaps

    finite = values[:-1][np.isfinite(values[:-1])]
    reach = float(np.abs(finite).max(initial=0)) or 1.0
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
    """Draws how many trials each gate refused; failures without a gate, such as a crash, by the error's name."""
    if not of.tried:
        return words("No trial yet, so no gate has said no.")
    counts = Counter(name for trial in of.tried for name in _refused(trial))
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


def _refused(trial: Tried) -> list[str]:
    """Returns the names of what refused a trial, without validation if that was not asked."""
    if trial.failed and not trial.result.gates:
        return [trial.failed]
    return [
        gate.gate
        for gate in trial.result.gates
        if gate.applies and not gate.passed and (gate.gate != "validation" or trial.result.look.asked)
    ]
