"""The round as the agent sees it: the row to copy for each result, and what the rules ask for next."""

import json
import math

from arena import journal, report, strategies
from arena.opening import Arena
from arena.gates import EVIDENCE
from arena.ledger import Trial
from arena.records import Result

SHOWN = 5
"""Most lines of one kind in the `round:` block; the rest is counted."""


def row(result: Result, arena: Arena) -> str:
    """
    The row for results.tsv. A file that differs from the commit before is an evolve, or a create when no row has named
    it yet; a fork looks like a create, and the agent corrects it.
    """
    root = arena.settings.root
    file = root / strategies.FOLDER / f"{result.strategy}.py"
    event = journal.suggest_event(journal.read(root / journal.FILE), result.strategy, strategies.touched(root, file))
    note = f"FAIL: {report.printable(result.error, 120)}" if result.error else ""
    return journal.row(result.commit, event, result.strategy, result.own.sharpe, result.own.max_drawdown, note)


def summary(results: list[Result], rows: list[str], arena: Arena, seconds: float) -> str:
    """The `round:` block. `rows` are the results' rows."""
    settings, written = arena.settings, journal.read(arena.settings.root / journal.FILE)
    present = [result.strategy for result in results]
    now = journal.after(written, rows)
    trials = arena.ledger.trials(arena.lock.contract) if arena.ledger else []
    current = {(result.commit, result.strategy) for result in results}
    missing = journal.missing(written, dict.fromkeys((t.commit, t.strategy) for t in trials if (t.commit, t.strategy) not in current))
    broken = journal.violations(written, settings.max_stable_rounds, settings.max_strategies)
    complaints = [
        *written.problems,
        *reversed(broken),  # newest first: old ones cannot be mended any more
        *(f"{journal.FILE} has no row for {name} at {commit}. Append it." for commit, name in missing),
    ]
    return report.round_block(
        {
            "active": [f"{len(present)} of {settings.max_strategies}: {report.joined(present)}"],
            "stable": [report.joined(f"{name} {journal.stable_rounds(now, name)}/{settings.max_stable_rounds}" for name in present)],
            "demands": journal.demands(now, present, settings.max_stable_rounds) or ["nothing"],
            "journal": _first(complaints) or [f"{len(written.rows)} rows, nothing to mend"],
            "ledger": [f"{_ledger(trials, arena.ledger.n_trials(arena.lock.contract))}; head {arena.ledger.head()[:16]}" if arena.ledger else "not used"],
            "seconds": [f"{seconds:.1f}"],
        }
    )


def _ledger(trials: list[Trial], n_trials: int) -> str:
    """Distinct sources so far, and the best that passed every gate."""
    passed = []
    for trial in trials:
        result = json.loads(trial.result)
        value = result["own"]["sharpe"]
        earned = [gate["passed"] for gate in result["gates"] if gate["gate"] not in EVIDENCE]
        if earned and all(earned) and not math.isnan(value):
            passed.append((value, trial.strategy, trial.commit))
    count = f"{n_trials} trials under this contract"
    if not passed:
        return f"{count}; none passed every gate"
    value, name, commit = max(passed)
    return f"{count}; best that passed every gate: {name} at {commit} with sharpe {value:.4f}"


def _first(lines: list[str]) -> list[str]:
    return lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])
