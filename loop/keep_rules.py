"""
Keep or discard, by section 5 of program.md. Pure: results in, decisions with their reasons out.

Three things that the program leaves to judgement are fixed here. A new strategy, created or forked, is kept when it was
evaluated and its Sharpe ratio is defined. One that takes the place of a strategy killed in the same commit is judged as
a change of that one, unless a plateau asks for another family. Simpler means fewer nodes in the syntax tree, docstrings
and comments apart.
"""

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from arena.records import Result
from arena.stats.gates import EVIDENCE

STEP = 0.05
"""Annualised Sharpe: what a gain must reach, and what the other figure may lose."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one strategy's change, and why in a few words."""

    keep: bool
    why: str
    gain: bool = False  # kept for its figures: ends a plateau


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a round's commit."""

    keep: bool
    why: str
    gain: bool
    restore: tuple[str, ...] = ()  # changed, worse, and yet in a commit that is kept: put back in the next round


def evolved(before: Result, after: Result, source_before: str, source_after: str) -> Decision:
    """A change of one strategy against what it was."""
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
    """A strategy that was not there before."""
    if after.error:
        return Decision(False, f"fails: {after.error}")
    if math.isnan(after.own.sharpe):
        return Decision(False, "its Sharpe ratio is undefined")
    return Decision(True, "new", gain=True)


def replaced(killed: Result, after: Result) -> Decision:
    """A new strategy against the killed one whose place it takes."""
    first = created(after)
    if not first.keep:
        return first
    against = evolved(killed, after, "", "")
    return Decision(against.keep, f"in the place of {killed.strategy}: {against.why}", against.gain)


def places(new: Mapping[str, Result], killed: Mapping[str, Result]) -> dict[str, str]:
    """Which new strategy takes whose place: the best that of the best, by their Sharpe ratio."""
    return dict(
        zip(*(sorted(some, key=lambda name: (-best(some[name]), name)) for some in (new, killed)), strict=False)
    )


def best(result: Result | None) -> float:
    """What results are ranked by: the Sharpe ratio; -inf for what failed or has none."""
    return -math.inf if result is None or result.error or math.isnan(result.own.sharpe) else result.own.sharpe


def verdict(changed: Mapping[str, Decision], *, killed: bool) -> Verdict:
    """
    The round's commit, from the decision on each strategy that the agent changed in it.

    One that got better keeps the commit, and the worse ones are restored in the next round. A kill alone is kept;
    beside changes that are all discarded it goes with them.
    """
    worse = tuple(name for name, one in changed.items() if not one.keep)
    why = "; ".join(f"{name}: {one.why}" for name, one in changed.items()) or "a strategy was killed"
    keep = len(worse) < len(changed) or (killed and not changed)
    return Verdict(keep, why, any(one.gain for one in changed.values()), worse if keep else ())


def lost_gates(before: Result, after: Result) -> list[str]:
    """Gates that said PASS and say FAIL now; those of the evidence apart, which every trial moves."""
    passed = {gate.gate for gate in before.gates if gate.applies and gate.passed}
    return [
        gate.gate
        for gate in after.gates
        if gate.applies and not gate.passed and gate.gate in passed and gate.gate not in EVIDENCE
    ]


def size(source: str) -> int:
    """
    Nodes of the syntax tree without docstrings; of what is no Python, its characters, which are more than any such tree
    has.
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
    """What a figure rose by; one that becomes defined rises without bound."""
    return math.inf if math.isnan(before) and not math.isnan(after) else after - before
