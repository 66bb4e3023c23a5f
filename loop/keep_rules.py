"""
Decides whether to keep or discard, by section 5 of program.md. Pure: takes results, returns decisions with reasons.

This module fixes three points that the program leaves to judgement. A new strategy, created or forked, is kept if it
was evaluated and its Sharpe ratio is defined. One that replaces a strategy killed in the same commit is judged as a
change of that one, unless a plateau asks for another family. Simpler means fewer nodes in the syntax tree, without
docstrings and comments.
"""

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from arena.records import Result
from arena.stats.gates import EVIDENCE

STEP = 0.05
"""Annualised Sharpe ratio: the gain that a figure must reach, and the loss that the other figure may have."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on one strategy's change, with a short reason."""

    keep: bool
    why: str
    gain: bool = False  # kept for its figures: ends a plateau


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a round's commit."""

    keep: bool
    why: str
    gain: bool
    restore: tuple[str, ...] = ()  # worse changes in a commit that is kept: the next round puts them back


def evolved(before: Result, after: Result, source_before: str, source_after: str) -> Decision:
    """Judges a change of one strategy against its earlier version."""
    if after.error:
        return Decision(False, f"fails: {after.error}")
    if lost := lost_gates(before, after):
        return Decision(False, f"{', '.join(lost)} said PASS and says FAIL")
    steps = {
        "robust_sharpe": _step(before.robust_sharpe, after.robust_sharpe),
        "sharpe": _step(before.own.sharpe, after.own.sharpe),
    }
    fell = [name for name, step in steps.items() if not step >= -STEP]
    rose = [name for name, step in steps.items() if step >= STEP]
    if fell:
        return Decision(False, f"{' and '.join(fell)} fell by more than {STEP} or cannot be told")
    if rose:
        return Decision(True, f"{' and '.join(rose)} rose by {STEP} or more", gain=True)
    if size(source_after) < size(source_before):
        return Decision(True, f"figures within {STEP}, and the code is simpler")
    return Decision(False, f"no gain of {STEP}, and the code is not simpler")


def created(after: Result) -> Decision:
    """Judges a strategy that did not exist before."""
    if after.error:
        return Decision(False, f"fails: {after.error}")
    if math.isnan(after.own.sharpe):
        return Decision(False, "its Sharpe ratio is undefined")
    return Decision(True, "new", gain=True)


def replaced(killed: Result, after: Result) -> Decision:
    """Judges a new strategy against the killed one that it replaces."""
    first = created(after)
    if not first.keep:
        return first
    against = evolved(killed, after, "", "")
    return Decision(against.keep, f"in the place of {killed.strategy}: {against.why}", against.gain)


def places(new: Mapping[str, Result], killed: Mapping[str, Result]) -> dict[str, str]:
    """Maps new strategies to the killed ones that they replace: best to best, by their Sharpe ratio."""
    return dict(
        zip(*(sorted(some, key=lambda name: (-best(some[name]), name)) for some in (new, killed)), strict=False)
    )


def best(result: Result | None) -> float:
    """Returns the Sharpe ratio that results are ranked by; -inf for a result that failed or has none."""
    return -math.inf if result is None or result.error or math.isnan(result.own.sharpe) else result.own.sharpe


def verdict(changed: Mapping[str, Decision], *, killed: bool) -> Verdict:
    """
    Decides on the round's commit from the decision on each strategy that the agent changed.

    One improved strategy keeps the commit, and the next round restores the worse ones. A kill alone is kept; beside
    changes that are all discarded it is discarded too.
    """
    worse = tuple(name for name, decision in changed.items() if not decision.keep)
    why = "; ".join(f"{name}: {decision.why}" for name, decision in changed.items()) or "a strategy was killed"
    keep = len(worse) < len(changed) or (killed and not changed)
    return Verdict(keep, why, any(decision.gain for decision in changed.values()), worse if keep else ())


def lost_gates(before: Result, after: Result) -> list[str]:
    """Returns gates that passed before and fail now, except those of the evidence, which every trial moves."""
    passed = {gate.gate for gate in before.gates if gate.applies and gate.passed}
    return [
        gate.gate
        for gate in after.gates
        if gate.applies and not gate.passed and gate.gate in passed and gate.gate not in EVIDENCE
    ]


def size(source: str) -> int:
    """
    Counts the nodes of the syntax tree without docstrings. Text that is not Python counts as larger than any such tree,
    by its characters.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return len(source) + 1_000_000
    texts = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    return sum(1 for _ in ast.walk(tree)) - 2 * len(texts)


def _step(before: float, after: float) -> float:
    """Returns the rise of a figure; infinite for one that becomes defined."""
    return math.inf if math.isnan(before) and not math.isnan(after) else after - before
