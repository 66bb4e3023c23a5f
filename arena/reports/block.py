"""
Formats a Result as a '---' block. Every line is `key: value`, so that grep finds it; program.md explains every key.

Only here do fractions become per cent and drawdowns get their minus sign.
"""

import math
from collections.abc import Sequence
from dataclasses import fields, replace

from arena.records import Evidence, GateResult, Look, Metrics, PairResult, Result, Stress
from arena.stats.gates import EVIDENCE, HOPELESS, LOW_SHARPE, verdict
from arena.text import joined, printable

HEAD_KEYS = ("strategy", "commit", "status", "contract", "source", "sandbox", "engine", "seconds", "cached")
FIGURE_KEYS = (
    "sharpe", "sharpe_ci95", "robust_sharpe", "total_profit_pct", "total_profit_abs", "max_drawdown_pct",
    "closed_sharpe", "sortino", "calmar", "trade_count", "win_rate_pct", "profit_factor", "exposure_pct",
    "avg_position_pct", "turnover", "fees_pct", "rejected_entries", "optimistic_fills_pct", "hidden_loss_pct",
    "top5_share_pct", "pair_share_pct", "relabel_sharpe", "bah_sharpe", "bah_profit_pct", "bah_dd_pct",
)  # fmt: skip
KEYS = (
    *HEAD_KEYS, *FIGURE_KEYS, "windows", "per_pair", "stress", "timing_p", "skipped", "evidence", "validation",
    "literals", "gates", "verdict", "warning", "row",
)  # fmt: skip
ROUND_KEYS = ("active", "stable", "demands", "journal", "ledger", "superior", "seconds")

NOT_RECORDED = (
    "none: not recorded, because the file lies outside the repository. No trial was counted and validation "
    "was not asked"
)
WIDTH = 22


def block(result: Result, row: str | None) -> str:
    """
    Returns the strategy's block, ending in a newline. `row` is the line to copy into results.tsv. It is None for what
    is not recorded; the block then says nothing of luck and gives no verdict.
    """
    lines, recorded = ["---", *_head(result)], row is not None
    if not result.error:
        lines += _figures(result)
        lines += ["windows:", *(_window(w.window, w.own, w.hold) for w in result.windows)]
        lines += ["per_pair:", *(_pair(p) for p in result.pairs)]
        lines += _stress(result.stress) if "stress" not in result.skipped else []
        lines += [_line("skipped", _skipped(result))] if result.skipped else []
        lines += (
            [_line("evidence", _evidence(result.evidence)), _line("validation", _validation(result.look))]
            if recorded
            else []
        )
        lines += [_line("literals", printable(joined(result.literals)))]
        lines += [
            _gates(
                result if recorded else replace(result, gates=tuple(g for g in result.gates if g.gate not in EVIDENCE))
            )
        ]
        lines += [_line("verdict", printable(verdict(result)))] if recorded else []
    else:
        lines += [f"  {printable(frame)}" for frame in result.frames]
        lines += [_gates(result)] if result.gates else []
        lines += [_line("verdict", f"REJECTED: {printable(result.error, 120)}")] if recorded else []
    lines += [_line("warning", printable(text)) for text in result.warnings]
    lines += (
        [_line("verdict", NOT_RECORDED)] if row is None else [_line("row", "\t".join(map(printable, row.split("\t"))))]
    )
    return "\n".join([*lines, ""])


def round_block(values: dict[str, Sequence[str]]) -> str:
    """Returns the `round:` block; keys of ROUND_KEYS, one line for each value."""
    lines = ["---", "round:"]
    for key in ROUND_KEYS:
        lines += [_line(key, printable(text)) for text in values.get(key, ())]
    return "\n".join([*lines, ""])


def _head(result: Result) -> list[str]:
    status = "OK" if not result.error else f"FAIL: {printable(result.error)}"
    origin = (
        f"{result.contract[:8]}   source: {printable(result.source)}   sandbox: {result.sandbox}   engine: "
        f"{_engine(result)}   "
        f"seconds: {result.seconds:.1f}   cached: {'yes' if result.cached else 'no'}"
    )
    return [
        _line("strategy", printable(result.strategy)),
        _line("commit", printable(result.commit)),
        _line("status", status),
        _line("contract", origin),
    ]


def _engine(result: Result) -> str:
    return f"{result.engine} ({printable(result.engine_note, 120)})" if result.engine_note else result.engine


def _figures(result: Result) -> list[str]:
    own, hold, checks = result.own, result.hold, result.checks
    values = {
        "sharpe": _number(own.sharpe),
        "sharpe_ci95": f"{_number(result.sharpe_low, 2)} {_number(result.sharpe_high, 2)}",
        "robust_sharpe": _number(result.robust_sharpe),
        "total_profit_pct": _percent(own.profit, 5),
        "total_profit_abs": _number(own.profit_abs, 6),
        "max_drawdown_pct": _percent(-own.max_drawdown, 2),
        "closed_sharpe": _number(result.closed_sharpe),
        "sortino": _number(own.sortino),
        "calmar": _number(own.calmar),
        "trade_count": str(own.trades),
        "win_rate_pct": _percent(own.win_rate, 2),
        "profit_factor": _number(own.profit_factor),
        "exposure_pct": _percent(own.exposure, 2),
        "avg_position_pct": _percent(own.avg_position, 2),
        "turnover": _number(own.turnover, 2),
        "fees_pct": _percent(own.fees, 2),
        "rejected_entries": str(result.rejected_entries),
        "optimistic_fills_pct": _percent(checks.optimistic_fills, 2),
        "hidden_loss_pct": _percent(checks.hidden_loss, 2),
        "top5_share_pct": _percent(checks.top_share, 2),
        "pair_share_pct": _percent(checks.pair_share, 2),
        "relabel_sharpe": _number(checks.relabel_sharpe),
        "bah_sharpe": _number(hold.sharpe),
        "bah_profit_pct": _percent(hold.profit, 2),
        "bah_dd_pct": _percent(-hold.max_drawdown, 2),
    }
    return [_line(key, values[key]) for key in FIGURE_KEYS]


def _window(name: str, own: Metrics, hold: Metrics) -> str:
    return _pairs_of(
        name,
        sharpe=_number(own.sharpe),
        profit_pct=_percent(own.profit, 2),
        dd_pct=_percent(-own.max_drawdown, 2),
        trades=str(own.trades),
        bah_sharpe=_number(hold.sharpe),
        bah_profit_pct=_percent(hold.profit, 2),
    )


def _pair(p: PairResult) -> str:
    return _pairs_of(
        p.pair,
        trades=str(p.trades),
        profit_pct=_percent(p.profit, 2),
        wr=_percent(p.win_rate, 1),
        pf=_number(p.profit_factor, 2),
        bah_profit_pct=_percent(p.hold_profit, 2),
    )


def _stress(stress: Stress) -> list[str]:
    named = [field.name for field in fields(stress) if field.name not in ("timing_p", "missing")]
    values = " ".join(f"{name}={_number(getattr(stress, name), 2)}" for name in named if name not in stress.missing)
    missing = f" missing={','.join(name for name in stress.missing)}" if stress.missing else ""
    return [_line("stress", values + missing), _line("timing_p", _number(stress.timing_p))]


def _skipped(result: Result) -> str:
    """Says which checks could no longer change the decision, and why."""
    hopeless = [gate.gate for gate in result.gates if gate.gate in HOPELESS and not gate.passed]
    reasons = hopeless if "stress" in result.skipped else [f"sharpe below {LOW_SHARPE:g}"]
    return f"{', '.join(result.skipped)} ({', '.join(reasons)})"


def _evidence(evidence: Evidence) -> str:
    why = f" ({evidence.why})" if evidence.why else ""
    return (
        f"trials={evidence.trials} other_contracts={evidence.other_contracts} "
        f"effective={_number(evidence.effective, 1)} luck_line={_number(evidence.luck_line, 2)} "
        f"dsr={_number(evidence.dsr)} pbo={_number(evidence.pbo, 2)}{why}"
    )


def _validation(look: Look) -> str:
    if not look.asked:
        return f"not asked: {look.why}"
    sign = "" if look.positive is None else f", this one is {'above' if look.positive else 'not above'} zero"
    return f"{'new best' if look.improved else 'no new best'} {_number(look.best, 2)}{sign} (look {look.looks})"


def _gates(result: Result) -> str:
    return _line("gates", " ".join(_gate(gate, result) for gate in result.gates))


def _gate(gate: GateResult, result: Result) -> str:
    if not gate.applies:
        return f"{gate.gate}={'n/a' if gate.passed else 'skipped'}"
    word = "PASS" if gate.passed else "FAIL"
    if gate.relation:
        return f"{gate.gate}={word}({gate.figure:.4g}{gate.relation if gate.passed else _not(gate)}{gate.limit:g})"
    depth = result.checks.causality if gate.gate == "causality" and gate.passed else ""
    depth = "not asked" if gate.gate == "validation" and not result.look.asked else depth
    return f"{gate.gate}={word}" + (f"({depth})" if depth else "")


def _not(gate: GateResult) -> str:
    return "?" if math.isnan(gate.figure) else {">=": "<", "<=": ">", ">": "<="}[gate.relation]


def _pairs_of(name: str, **values: str) -> str:
    return f"  {name}: " + " ".join(f"{key}={value}" for key, value in values.items())


def _line(key: str, value: str) -> str:
    return f"{key + ':':<{WIDTH}}{value}".rstrip()


def _number(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}f}"


def _percent(fraction: float, digits: int) -> str:
    return f"{100 * fraction:.{digits}f}"
