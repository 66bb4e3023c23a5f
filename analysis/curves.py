"""Curves: what the account was worth, and how each strategy's Sharpe ratio went from round to round."""

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
"""From this ratio of the largest to the smallest value on, a logarithmic scale."""
NAMED = 12
"""Most strategies of which the dead ones are named too."""

Points = list[tuple[int, results_log.Row, bool]]
"""Of one strategy: round, row, and whether git kept its commit."""


def equity(of: Story) -> "Figure":
    """Daily equity of the shown trials and of buy-and-hold, 1 at the start, with the windows shaded."""
    title, shown = of.shown()
    if not (shown := tuple(one for one in shown if len(one.returns))):
        return words("No trial has an equity curve yet: all failed, or none was made.")
    figure = canvas(5.0)
    axis = figure.add_subplot()
    curves = []
    # trials of one strategy, which need colours of their own
    several = len({one.strategy for one in shown}) < len(shown)
    for k, one in enumerate(shown):
        curves.append(_compounded(one.returns))
        tint = color(k if several else of.place(one.strategy))
        axis.plot(
            _days(of, len(one.returns)),
            curves[-1],
            color=tint,
            lw=1.5,
            label=f"{one.strategy} at {one.commit}, sharpe {one.sharpe:.2f}",
        )
    held, why = _held(of)
    if held is not None:
        curves.append(_compounded(held))
        axis.plot(
            _days(of, len(held)), curves[-1], color=FAINT, lw=1.2, ls="--", label="buy and hold of the whole arena"
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
    """Instants of n + 1 values: each midnight from the start of the search, as it was locked, and its end."""
    start, end = (datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) for day in of.search.split("-"))
    return [min(start + timedelta(days=k), end) for k in range(n + 1)]


def _held(of: Story) -> tuple[NDArray[np.float64] | None, str]:
    """Daily returns of buy-and-hold on the candles that were locked; or why there are none."""
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
    Sharpe by round and strategy, as results.tsv has it: a line through what was kept, hollow marks for what was
    discarded.
    """
    rounds = results_log.rounds(of.journal)
    if not rounds:
        return words("results.tsv has no row yet, so no strategy has a history.")
    histories: dict[str, Points] = {}
    for one in rounds:
        for row in one.rows:
            histories.setdefault(row.strategy, []).append((one.number, row, of.held(row)))
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
    Draw one strategy: its level goes on through what was discarded. Returns where its line ends; None without a figure.
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
    known = [(number, height) for number, height in line if not math.isnan(height)]
    known = known or [(number, row.sharpe) for number, row, _ in points if not math.isnan(row.sharpe)]
    return known[-1] if known else None


def _name(axis: "Axes", ends: list[tuple[str, int, float, str]]) -> None:
    """
    Names of the active ones at the right edge, apart from each other, each with a thin line from the end of its curve.
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
