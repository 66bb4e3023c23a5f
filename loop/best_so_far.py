"""The best trials of a run, by evidence: shown to agents that read, whether still active or not. Pure."""

import math
from collections.abc import Mapping, Sequence

from arena.stats import gates
from arena.text import printable
from loop.protocol import Tried

LONGEST = 12_000
"""Most characters of a source that are shown."""


def best(history: Sequence[Tried], most: int) -> tuple[Tried, ...]:
    """
    Returns at most `most` trials, best first, one per line of descent.

    A trial that passes every gate about earnings ranks before one that fails any. Then the deflated Sharpe ratio
    counts, then the Sharpe ratio of the worst window; undefined figures rank lowest. The ratio is that of the trial's
    own round; it would be lower among more trials, so early trials have an advantage. Failed trials have no figures and
    are left out.
    """
    lines = _lines(history)
    best_by_line: dict[str, Tried] = {}
    for tried in sorted(
        (trial for trial in history if trial.result and not trial.result.error), key=_rank, reverse=True
    ):
        best_by_line.setdefault(lines[tried.strategy], tried)
    return tuple(best_by_line.values())[: max(most, 0)]


def told(population: Sequence[Tried], active: Mapping[str, str]) -> str:
    """Returns figures and sources, best first; omits the source of an active, unchanged strategy. Empty for none."""
    return "\n\n".join(_one(number, tried, active) for number, tried in enumerate(population, 1))


def name(tried: Tried) -> str:
    """Returns the trial's name in a log."""
    return f"{tried.strategy} of round {tried.round}"


def _one(number: int, tried: Tried, active: Mapping[str, str]) -> str:
    result = tried.result
    assert result is not None
    now = active.get(tried.strategy)
    where = (
        "active as it is"
        if now == tried.source
        else "active in another version"
        if now is not None
        else "not active any more"
    )
    lines = [
        f"{number}. {name(tried)}, {'kept' if tried.kept else 'discarded'}, {where}",
        f"sharpe {result.own.sharpe:.2f}, robust {result.robust_sharpe:.2f}, dsr {result.evidence.dsr:.3f} over "
        f"{result.evidence.trials} trials, "
        f"profit {100 * result.own.profit:.1f} %, drawdown {100 * result.own.max_drawdown:.1f} %, trades "
        f"{result.own.trades}",
        printable(gates.verdict(result), 300),
        *([f"note: {printable(tried.note, 200)}"] if tried.note else []),
    ]
    if now == tried.source:
        return "\n".join(lines)
    source = tried.source if len(tried.source) <= LONGEST else f"{tried.source[:LONGEST]}\n# the rest is left out"
    mark = "`" * 3
    while mark in source:
        mark += "`"
    return "\n".join([*lines, f"{mark}python", source.strip("\n"), mark])


def _rank(tried: Tried) -> tuple[bool, float, float, float]:
    result = tried.result
    assert result is not None
    earned = all(gate.passed or not gate.applies or gate.gate in gates.EVIDENCE for gate in result.gates)
    return earned, _defined(result.evidence.dsr), _defined(result.robust_sharpe), _defined(result.own.sharpe)


def _defined(figure: float) -> float:
    return -math.inf if math.isnan(figure) else figure


def _lines(history: Sequence[Tried]) -> dict[str, str]:
    """Maps each strategy to the first of its line; a fork belongs to its parent's line."""
    lines: dict[str, str] = {}
    for tried in history:
        lines.setdefault(
            tried.strategy, lines.get(tried.parent, tried.parent) if tried.event == "fork" else tried.strategy
        )
    return lines
