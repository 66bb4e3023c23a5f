"""The gates turn figures into one yes or no each. Every comparison is written so that nan says no."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from arena.errors import CausalityError, DeterminismError, IntegrityError
from arena.records import Checks, Evidence, GateResult, Look, Metrics, Result, WindowResult
from arena.settings import Gates

EVIDENCE = ("dsr", "validation")
"""
Gates that ask whether a result is luck. All others ask whether it was earned, and only what passes them is asked about
luck.
"""
LOW_SHARPE = 1.0
"""
Below this Sharpe over the search range `relabel` does not apply: there is little to lose, and noise alone changes it by
a large share.
"""
HOPELESS = ("trades", "window_trades", "drawdown", "profit")
"""
Gates that follow from the account alone. A strategy that fails one of them is not tested in other markets, on other
terms and at other times.
"""
FEW_PAIRS = 3
"""With fewer pairs than this `pair_share` does not apply: one of two always has at least half."""
BROKEN_BY = {
    IntegrityError.__name__: "integrity",
    CausalityError.__name__: "causality",
    DeterminismError.__name__: "determinism",
}
"""Maps the class of an error to the gate that it fails."""
NAN = float("nan")


def judge(
    own: Metrics,
    windows: tuple[WindowResult, ...],
    checks: Checks,
    limits: Gates,
    *,
    n_pairs: int,
    skipped: Collection[str] = (),
) -> tuple[GateResult, ...]:
    """
    Returns every gate with its figure and its limit, in the order in which the block prints them.

    Parameters
    ----------
    own : Metrics
        Over the search range.
    windows : tuple of WindowResult
    checks : Checks
        Of the same run. A strategy that does not pass integrity and determinism is a failure and is not judged.
    limits : Gates
    n_pairs : int
        Pairs that the strategy may trade.
    skipped : collection of str
        Checks that were not made. Their gates say no if they apply.
    """
    fewest = min((float(w.own.trades) for w in windows), default=NAN)
    return (
        _without_figure("integrity", True),
        _without_figure("causality", checks.causality != ""),
        _without_figure("determinism", True),
        _where(checks.replay != "", _without_figure("replay", checks.replay == "agrees")),
        _where(
            not own.sharpe < LOW_SHARPE,
            _skipped("relabel", skipped) or _at_most("relabel", checks.relabel_loss, limits.max_relabel_loss),
        ),
        _at_most("optimistic_fills", checks.optimistic_fills, limits.max_optimistic_fills),
        _at_most("hidden_loss", checks.hidden_loss, limits.max_hidden_loss),
        _at_least("trades", own.trades, limits.min_trades),
        _at_least("window_trades", fewest, limits.min_trades_per_window),
        _at_least("exposure", own.exposure, limits.min_exposure),
        _at_least("position", own.avg_position, limits.min_position),
        _at_most("top_share", checks.top_share, limits.max_top_share),
        _where(n_pairs >= FEW_PAIRS, _at_most("pair_share", checks.pair_share, limits.max_pair_share)),
        _at_most("drawdown", own.max_drawdown, limits.max_drawdown),
        _above("profit", own.profit, limits.min_profit),
    )


def evidence(found: Evidence, look: Look, limits: Gates) -> tuple[GateResult, ...]:
    """
    Returns the gates of EVIDENCE: more than luck in the search range, and above zero in the validation window as far as
    that was told.
    """
    above = look.positive if look.positive is not None else look.improved and look.best > 0
    return (_at_least("dsr", found.dsr, limits.min_dsr), _without_figure("validation", bool(look.asked and above)))


def earned(told: list[dict[str, Any]]) -> bool:
    """
    Whether every gate except those of EVIDENCE says yes, in a Result as the ledger keeps it. A failure has no gate, or
    one that says no.
    """
    passed = [gate["passed"] for gate in told if gate["gate"] not in EVIDENCE]
    return bool(passed) and all(passed)


def failed(error_kind: str) -> tuple[GateResult, ...]:
    """
    Returns the one gate that a failure of this kind fails, by the error's class name; none for crashes and the like.
    """
    return (_without_figure(BROKEN_BY[error_kind], False),) if error_kind in BROKEN_BY else ()


def _without_figure(gate: str, passed: bool) -> GateResult:
    return GateResult(gate, passed, NAN, NAN, "")


def _where(applies: bool, gate: GateResult) -> GateResult:
    """Returns the gate itself, or, if it does not apply, one that fails nobody."""
    return gate if applies else replace(gate, passed=True, applies=False)


def _skipped(gate: str, skipped: Collection[str]) -> GateResult | None:
    """Returns a gate that says no without a reason, because another gate gives it; None if it was not skipped."""
    return replace(_without_figure(gate, False), applies=False) if gate in skipped else None


def _at_least(gate: str, figure: float, limit: float) -> GateResult:
    return GateResult(gate, bool(figure >= limit), float(figure), float(limit), ">=")


def _at_most(gate: str, figure: float, limit: float) -> GateResult:
    return GateResult(gate, bool(figure <= limit), float(figure), float(limit), "<=")


def _above(gate: str, figure: float, limit: float) -> GateResult:
    return GateResult(gate, bool(figure > limit), float(figure), float(limit), ">")


def verdict(result: Result) -> str:
    """ACCEPTED or REJECTED in one line, with the first reasons and their figures."""
    reasons = [_reason(gate, result) for gate in result.gates if gate.applies and not gate.passed]
    if reasons:
        return "REJECTED: " + ", ".join(reasons[:3])
    return (
        f"ACCEPTED: all gates, dsr {result.evidence.dsr:.4g} over {result.evidence.trials} trials, validation "
        f"above "
        f"zero"
    )


def _reason(gate: GateResult, result: Result) -> str:
    if gate.gate == "dsr" and gate.figure != gate.figure:
        return f"dsr is undefined: {result.evidence.why}"
    if gate.gate == "replay":
        return "replay differs from FreqTrade's loop"
    if gate.gate == "validation":
        return f"validation is not shown: {result.look.why or 'no new best'}"
    return (
        f"{gate.gate} {gate.figure:.6g} is not {gate.relation} {gate.limit:g}"
        if gate.relation
        else f"{gate.gate} is not shown"
    )
