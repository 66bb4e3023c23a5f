"""The best of what a run has tried, by evidence: shown to agents that read, whether it is still active or not. Pure."""

import math
from collections.abc import Mapping, Sequence

from arena.stats import gates
from arena.text import printable
from loop.protocol import Tried

LONGEST = 12_000
"""Characters of a source that are shown."""


def best(history: Sequence[Tried], most: int) -> tuple[Tried, ...]:
    """
    At most `most` trials, best first, one a line of descent.

    Whoever passes every gate of what was earned comes before whoever fails one; then the deflated Sharpe ratio counts,
    then the Sharpe ratio of the worst window; an undefined figure is the lowest. The ratio is the one of its own round:
    among more trials it would be lower, so it favours what came early. What failed has no figures and is left out.
    """
    lines = _lines(history)
    found: dict[str, Tried] = {}
    for tried in sorted((one for one in history if one.result and not one.result.error), key=_rank, reverse=True):
        found.setdefault(lines[tried.strategy], tried)
    return tuple(found.values())[: max(most, 0)]


def told(population: Sequence[Tried], active: Mapping[str, str]) -> str:
    """Figures and sources, best first; a source that is active as it stands is not told twice. Empty for none."""
    return "\n\n".join(_one(number, tried, active) for number, tried in enumerate(population, 1))


def name(tried: Tried) -> str:
    """How a log names it."""
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
    """Strategy to the first of its line: a fork belongs to its parent's."""
    lines: dict[str, str] = {}
    for tried in history:
        lines.setdefault(
            tried.strategy, lines.get(tried.parent, tried.parent) if tried.event == "fork" else tried.strategy
        )
    return lines
