"""The round as the agent sees it: the row to copy for each result, and what the rules ask for next."""

import json
import math
from collections.abc import Collection

import numpy as np

from arena import baseline, gates, journal, report, strategies
from arena.errors import SampleError
from arena.ledger import Trial, distinct
from arena.opening import Arena
from arena.records import Result
from arena.trials import stepm

SHOWN = 5
"""Most lines of one kind in the `round:` block; the rest is counted."""
FAMILYWISE = 0.05
"""Probability, at most, that one or more of the trials that are called superior are there by luck."""


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


def summary(results: list[Result], rows: list[str], arena: Arena, seconds: float, of: Collection[str] | None = None) -> str:
    """
    The `round:` block. `rows` are the results' rows; `of` the commits that this results.tsv has to name, because searches in other
    worktrees share the ledger: by default those at which this one's HEAD ever stood.
    """
    settings, written = arena.settings, journal.read(arena.settings.root / journal.FILE)
    present = [result.strategy for result in results]
    now = journal.after(written, rows)
    trials = arena.ledger.trials(arena.lock.contract) if arena.ledger else []
    current = {(result.commit, result.strategy) for result in results}
    own = strategies.stood(settings.root) if of is None else {commit[: strategies.PREFIX] for commit in of}
    mine = [t for t in trials if t.commit[: strategies.PREFIX] in own]
    missing = journal.missing(written, dict.fromkeys((t.commit, t.strategy) for t in mine if (t.commit, t.strategy) not in current))
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
            "ledger": [_ledger_line(trials, arena) if arena.ledger else "not used"],
            "superior": _superior(trials, arena),
            "seconds": [f"{seconds:.1f}"],
        }
    )


def _ledger_line(trials: list[Trial], arena: Arena) -> str:
    assert arena.ledger is not None
    told = _ledger(trials, arena.ledger.n_trials(arena.lock.contract), arena.trials.elsewhere(""))
    return f"{told}; head {arena.ledger.head()[:16]}"


def _ledger(trials: list[Trial], n: int, others: int = 0) -> str:
    """
    Distinct sources so far, `n` under this contract and `others` under others, and the best that passed every gate but those that ask
    about luck.
    """
    passed = []
    for trial in trials:
        result = json.loads(trial.result)
        value = result["own"]["sharpe"]
        if gates.earned(result["gates"]) and not math.isnan(value):
            passed.append((value, trial.strategy, trial.commit))
    count = f"{n} trials under this contract" + (f", {others} under others on these candles" if others else "")
    if not passed:
        return f"{count}; none passed every gate but {' and '.join(gates.EVIDENCE)}"
    value, name, commit = max(passed)
    return f"{count}; best that passed every gate but {' and '.join(gates.EVIDENCE)}: {name} at {commit} with sharpe {value:.4f}"


def _superior(tried: list[Trial], arena: Arena) -> list[str]:
    """
    How many of all trials beat cash and how many buy-and-hold, by a test that knows how many there are: those of other contracts too that
    have returns of every day.
    """
    returns = [trial.returns for trial in distinct(tried).values() if len(trial.returns)]
    if not returns:
        return []
    rows = [*returns, *arena.trials.placed("", len(returns[-1])).whole]
    found, rng = [], np.random.default_rng(int(arena.lock.contract[:16], 16))
    hold = baseline.hold_returns(arena.market, arena.settings.search, arena.settings.fee)
    for name, benchmark in (("cash", 0.0), ("buy-and-hold", hold)):
        try:
            better, p = stepm(np.array(rows), benchmark, rng, level=FAMILYWISE)
        except SampleError as error:
            return [f"cannot be told: {error}"]
        found.append(f"{np.count_nonzero(better[: len(returns)])} of {len(returns)} beat {name} (p={p:.3f} of the best)")
    return [f"{', '.join(found)}; StepM, familywise {100 * FAMILYWISE:.0f} %"]


def _first(lines: list[str]) -> list[str]:
    return lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])
