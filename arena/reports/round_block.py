"""The round as the agent sees it: the row to copy for each result, and what the rules ask for next."""

import json
import math
from collections.abc import Collection

import numpy as np

from arena.errors import SampleError
from arena.evaluation.context import EvaluationContext
from arena.ledger import results_log, strategy_files
from arena.ledger.store import Trial, distinct
from arena.market import benchmark
from arena.records import Result
from arena.reports import block
from arena.stats import gates
from arena.stats.selection_bias import stepm
from arena.text import joined, printable

SHOWN = 5
"""Most lines of one kind in the `round:` block; the rest are counted."""
FAMILYWISE = 0.05
"""Largest probability that one or more of the trials that are called superior are there by luck."""


def row(result: Result, arena: EvaluationContext) -> str:
    """
    Returns the row for results.tsv. A file that differs from the commit before is an evolve, or a create if no row has
    named it yet. A fork looks like a create, and the agent corrects it.
    """
    root = arena.settings.root
    file = root / strategy_files.FOLDER / f"{result.strategy}.py"
    event = results_log.suggest_event(
        results_log.read(root / results_log.FILE), result.strategy, strategy_files.touched(root, file)
    )
    note = f"FAIL: {printable(result.error, 120)}" if result.error else ""
    return results_log.row(result.commit, event, result.strategy, result.own.sharpe, result.own.max_drawdown, note)


def summary(
    results: list[Result], rows: list[str], arena: EvaluationContext, seconds: float, of: Collection[str] | None = None
) -> str:
    """
    Returns the `round:` block. `rows` are the results' rows. `of` are the commits that this results.tsv must name,
    because searches in other worktrees share the ledger; by default those at which this one's HEAD ever stood.
    """
    settings, journal = arena.settings, results_log.read(arena.settings.root / results_log.FILE)
    present = [result.strategy for result in results]
    journal_after = results_log.after(journal, rows)
    trials = arena.ledger.trials(arena.lock.contract) if arena.ledger else []
    current = {(result.commit, result.strategy) for result in results}
    commits = strategy_files.stood(settings.root) if of is None else {commit[: strategy_files.PREFIX] for commit in of}
    evaluated = list(
        dict.fromkeys(
            (trial.commit, trial.strategy) for trial in trials if trial.commit[: strategy_files.PREFIX] in commits
        )
    )
    due = [pair for pair in results_log.begun(journal, evaluated) if pair not in current]
    missing = results_log.missing(journal, due)
    broken = results_log.violations(journal, settings.max_stable_rounds, settings.max_strategies)
    complaints = [
        *journal.problems,
        *reversed(broken),  # newest first: old ones cannot be mended any more
        *(f"{results_log.FILE} has no row for {name} at {commit}. Append it." for commit, name in missing),
    ]
    return block.round_block(
        {
            "active": [f"{len(present)} of {settings.max_strategies}: {joined(present)}"],
            "stable": [
                joined(
                    f"{name} {results_log.stable_rounds(journal_after, name)}/{settings.max_stable_rounds}"
                    for name in present
                )
            ],
            "demands": results_log.demands(journal_after, present, settings.max_stable_rounds) or ["nothing"],
            "journal": _first(complaints) or [f"{len(journal.rows)} rows, nothing to mend"],
            "ledger": [_ledger_line(trials, arena) if arena.ledger else "not used"],
            "superior": _superior(trials, arena),
            "seconds": [f"{seconds:.1f}"],
        }
    )


def _ledger_line(trials: list[Trial], arena: EvaluationContext) -> str:
    assert arena.ledger is not None
    counts = _ledger(trials, arena.ledger.n_trials(arena.lock.contract), arena.trials.elsewhere(""))
    return f"{counts}; head {arena.ledger.head()[:16]}"


def _ledger(trials: list[Trial], n: int, others: int = 0) -> str:
    """
    Describes the distinct sources so far, `n` under this contract and `others` under others, and the best that passed
    every gate except those about luck.
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
    return (
        f"{count}; best that passed every gate but {' and '.join(gates.EVIDENCE)}: {name} at {commit} with sharpe "
        f"{value:.4f}"
    )


def _superior(tried: list[Trial], arena: EvaluationContext) -> list[str]:
    """
    Says how many of all trials beat cash and how many buy-and-hold, by a test that knows how many there are. Trials of
    other contracts count too, if they have returns of every day.
    """
    returns = [trial.returns for trial in distinct(tried).values() if len(trial.returns)]
    if not returns:
        return []
    rows = [*returns, *arena.trials.placed("", len(returns[-1])).whole]
    texts, rng = [], np.random.default_rng(int(arena.lock.contract[:16], 16))
    hold = benchmark.hold_returns(arena.market, arena.settings.search, arena.settings.fee)
    for name, level in (("cash", 0.0), ("buy-and-hold", hold)):
        try:
            better, p = stepm(np.array(rows), level, rng, level=FAMILYWISE)
        except SampleError as error:
            return [f"cannot be told: {error}"]
        texts.append(
            f"{np.count_nonzero(better[: len(returns)])} of {len(returns)} beat {name} (p={p:.3f} of the best)"
        )
    return [f"{', '.join(texts)}; StepM, familywise {100 * FAMILYWISE:.0f} %"]


def _first(lines: list[str]) -> list[str]:
    return lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])
