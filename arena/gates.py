"""The gates: figures in, one yes or no each. Every comparison is written so that nan says no."""

from arena.records import GateResult, Metrics, WindowResult
from arena.settings import Gates

NOT_JUDGED = ("lookahead", "luck")
"""What no gate of this contract looks at; the verdict says so."""


def judge(own: Metrics, windows: tuple[WindowResult, ...], limits: Gates) -> tuple[GateResult, ...]:
    """Every gate with its figure and its limit, in the order in which the block prints them."""
    fewest = min((float(w.own.trades) for w in windows), default=float("nan"))
    return (
        _at_least("trades", own.trades, limits.min_trades),
        _at_least("window_trades", fewest, limits.min_trades_per_window),
        _at_least("exposure", own.exposure, limits.min_exposure),
        _at_most("drawdown", own.max_drawdown, limits.max_drawdown),
        _above("profit", own.profit, limits.min_profit),
    )


def _at_least(gate: str, figure: float, limit: float) -> GateResult:
    return GateResult(gate, bool(figure >= limit), float(figure), float(limit), ">=")


def _at_most(gate: str, figure: float, limit: float) -> GateResult:
    return GateResult(gate, bool(figure <= limit), float(figure), float(limit), "<=")


def _above(gate: str, figure: float, limit: float) -> GateResult:
    return GateResult(gate, bool(figure > limit), float(figure), float(limit), ">")


def verdict(gates: tuple[GateResult, ...]) -> str:
    """PASSED or REJECTED in one line, with the first reasons and their figures."""
    failed = [f"{g.gate} {g.figure:.6g} is not {g.relation} {g.limit:g}" for g in gates if not g.passed]
    if failed:
        return "REJECTED: " + ", ".join(failed[:3])
    return f"PASSED: all gates; not judged: {', '.join(NOT_JUDGED)}"
