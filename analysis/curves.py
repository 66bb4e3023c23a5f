"""Curves: the account's value over time, and each strategy's Sharpe ratio from round to round."""

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.style import BOTTOM, FAILED, FAINT, apart, canvas, color, keep_in_sight, whole, words
from analysis.timeline import Story
from arena.errors import ArenaError
from arena.ledger import data_lock, results_log
from arena.market import benchmark, candle_tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {"create": "^", "evolve": "o", "fork": "D", "stable": ".", "kill": "X"}
WIDE = 5.0
"""Ratio of the largest to the smallest value above which the scale is logarithmic."""
NAMED = 12
"""Most strategies with which dead ones are named too."""

Points = list[tuple[int, results_log.Row, bool]]
"""One strategy's history: round, row, and whether git kept its commit."""


def equity(of: Story) -> "Figure":
    """Draws daily equity of the shown trials and of buy-and-hold, 1 at the start, with the windows shaded."""
    title, shown = of.shown()
    if not (shown := tuple(trial for trial in shown if len(trial.returns))):
        return words("No trial has an equity curve yet: all failed, or none was made.")
    figure = canvas(5.0)
    axis = figure.add_subplot()
    curves = []
    # several trials of one strategy need colours of their own
    several = len({trial.strategy for trial in shown}) < len(shown)
    for k, trial in enumerate(shown):
        curves.append(_compounded(trial.returns))
        tint = color(k if several else of.place(trial.strategy))
        axis.plot(
            _days(of, len(trial.returns)),
            curves[-1],
            color=tint,
            lw=1.5,
            label=f"{trial.strategy} at {trial.commit}, sharpe {trial.sharpe:.2f}",
        )
    hold_returns, why = _held(of)
    if hold_returns is not None:
        curves.append(_compounded(hold_returns))
        axis.plot(
            _days(of, len(hold_returns)),
            curves[-1],
            color=FAINT,
            lw=1.2,
            ls="--",
            label="buy and hold of the whole arena",
        )
        _shade(axis, of)
    values = np.concatenate(curves)
    if values.min() > 0 and values.max() > WIDE * values.min():
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(_ticker().LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(_ticker().FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(_ticker().NullFormatter())
    axis.axhline(1, color="black", lw=0.5)
    axis.margins(x=0)
    axis.set_ylabel("equity, marked to market; 1 is the wallet")
    axis.set_title(f"{title}, search range{f'; without buy-and-hold: {why}' if why else ''}", fontsize=10, wrap=True)
    axis.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.08), frameon=False)
    return figure


def _compounded(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.append(1.0, np.cumprod(1 + returns))


def _days(of: Story, n: int) -> list[Any]:
    """Returns the times of n + 1 values: each midnight from the start of the locked search range, and its end."""
    start, end = (datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) for day in of.search.split("-"))
    return [min(start + timedelta(days=k), end) for k in range(n + 1)]


def _held(of: Story) -> tuple[NDArray[np.float64] | None, str]:
    """Returns daily returns of buy-and-hold on the locked candles, or None and the reason."""
    arena = of.settings
    try:
        data_lock.verify(arena)
        market = candle_tables.market(
            candle_tables.read_candles(arena.root / data_lock.DATA, arena), arena, arena.search
        )
    except ArenaError as error:
        return None, str(error)
    return benchmark.hold_returns(market, arena.search, arena.fee), ""


def _shade(axis: "Axes", of: Story) -> None:
    windows = of.settings.windows
    for k, window in enumerate(windows):
        start: Any = window.start  # instants, of which matplotlib's annotations know nothing
        end: Any = window.end
        if k % 2 == 0:
            axis.axvspan(start, end, color="0.93", zorder=0, lw=0)
        upright = len(windows) > 6
        axis.text(
            start + (end - start) / 2, 0.985, window.name, transform=axis.get_xaxis_transform(),
            fontsize=8, color="0.35", ha="center", va="top", rotation=90 if upright else 0,
        )  # fmt: skip


def _ticker() -> Any:
    from matplotlib import ticker

    return ticker


def trajectories(of: Story) -> "Figure":
    """
    Draws Sharpe by round and strategy from results.tsv: a line through kept values, hollow marks for discarded ones.
    """
    rounds = results_log.rounds(of.journal)
    if not rounds:
        return words("results.tsv has no row yet, so no strategy has a history.")
    histories: dict[str, Points] = {}
    for journal_round in rounds:
        for row in journal_round.rows:
            histories.setdefault(row.strategy, []).append((journal_round.number, row, of.held(row)))
    active = results_log.active(of.journal)
    figure = canvas(5.2)
    axis = figure.add_subplot()
    ends = []
    for name, points in histories.items():
        alive = name in active
        tint = color(of.place(name)) if alive else FAINT
        end = _history(axis, points, tint, front=alive)
        if end is not None and alive:
            ends.append((name, *end, tint))
        elif end is not None and len(histories) <= NAMED:
            axis.annotate(name, end, xytext=(6, 4), textcoords="offset points", fontsize=8, color="0.45", zorder=5)
    edge = keep_in_sight(axis, [row.sharpe for points in histories.values() for _, row, _ in points])
    if edge is not None:
        low = [number for points in histories.values() for number, row, _ in points if row.sharpe < BOTTOM]
        axis.plot(low, [edge] * len(low), "v", color=FAINT, ms=6)
    failed = [
        number
        for points in histories.values()
        for number, row, _ in points
        if row.event != "kill" and math.isnan(row.sharpe)
    ]
    axis.plot(failed, [0.02] * len(failed), "|", color=FAILED, ms=11, mew=2, transform=axis.get_xaxis_transform())
    axis.axhline(0, color="black", lw=0.5)
    axis.set_xlim(0.5, max(len(rounds), 4) + 0.5)
    _name(axis, ends)
    axis.set_xlabel("round")
    axis.set_ylabel("Sharpe a year, search range")
    axis.set_title(f"{len(rounds)} rounds, {len(histories)} strategies, {len(active)} of them active", fontsize=10)
    whole(axis)
    _explain(axis, bool(failed), edge is not None)
    return figure


def _history(axis: "Axes", points: Points, tint: str, *, front: bool) -> tuple[int, float] | None:
    """
    Draws one strategy; its level stays through discarded rounds. Returns the end of its line; None without a figure.
    """
    level, line = math.nan, []
    z = 4 if front else 3
    for number, row, kept in points:
        hollow: dict[str, Any] = {} if kept or row.event == "stable" else {"mfc": "white"}
        height = level if row.event == "kill" else row.sharpe
        if not math.isnan(height):
            axis.plot(number, height, MARKERS[row.event], mec=tint, ms=7, zorder=z, **({"mfc": tint} | hollow))
        if not hollow and not math.isnan(row.sharpe):
            level = row.sharpe
        line.append((number, level))
        if row.event == "kill" and kept:
            level = math.nan
            line.append((number, level))
    axis.plot(*zip(*line, strict=True), color=tint, lw=1.6 if front else 1.0, zorder=z - 1)
    defined = [(number, height) for number, height in line if not math.isnan(height)]
    defined = defined or [(number, row.sharpe) for number, row, _ in points if not math.isnan(row.sharpe)]
    return defined[-1] if defined else None


def _name(axis: "Axes", ends: list[tuple[str, int, float, str]]) -> None:
    """
    Writes the active strategies' names at the right edge, apart from each other, with a thin line to each curve's end.
    """
    low, high = axis.get_ylim()
    right = axis.get_xlim()[1]
    heights = apart([min(max(end[2], low), high) for end in ends], (high - low) / 24)
    for (name, number, level, tint), height in zip(ends, heights, strict=True):
        axis.annotate(
            name, (number, max(level, low)), xytext=(right + 0.012 * (right - 0.5), height), textcoords="data",
            fontsize=8, va="center", color="0.2", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": tint, "lw": 0.5, "alpha": 0.6, "shrinkA": 0},
        )  # fmt: skip


def _explain(axis: "Axes", failed: bool, low: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker=marker, color="0.3", ls="", ms=6, label=event) for event, marker in MARKERS.items()
    ]
    handles.append(Line2D([], [], marker="o", mfc="white", mec="0.3", ls="", ms=6, label="discarded"))
    if failed:
        handles.append(Line2D([], [], marker="|", color=FAILED, mew=2, ls="", ms=9, label="failed"))
    if low:
        handles.append(Line2D([], [], marker="v", color=FAINT, ls="", ms=6, label=f"below {BOTTOM:g}"))
    axis.legend(handles=handles, fontsize=8, ncols=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False)
