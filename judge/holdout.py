"""
Opens the holdout once for each strategy source and records each opening for good.

Its candles are decrypted into memory and reach the workers through pipes; no disk holds them in the clear. The ledger
records an opening when the candles are readable and before anything is computed from them, and the judgement when it is
ready. The ledger answers for a source that was judged before. A source whose judgement was interrupted is judged again,
with the same figures, because nobody has seen them.

Not covered: whoever opens the holdout for one strategy has seen it, and knows something about the next one.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from arena.errors import ArenaError, StrategyError
from arena.evaluation import backends, context, figures
from arena.evaluation.context import RESULT, EvaluationContext
from arena.evaluation.figures import Earned
from arena.ledger import data_lock, strategy_files
from arena.ledger.store import Entry, Ledger, Trial, distinct
from arena.market.candle_tables import Tables
from arena.records import Strategy, Window
from arena.sandbox import client
from arena.stats import holdout_test, metrics
from arena.stats.holdout_test import Judgement, Prospect, Stretch
from arena.text import printable
from judge import archive_reader

JUDGEMENT = TypeAdapter(Judgement)
VERSION = re.compile(r"\d+(\.\d+){1,2}(-[A-Za-z0-9]+)?")
SHIFTED = 0.02
"""Largest change of the search range's Sharpe ratio because the run goes on and does not close its positions there."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A committed strategy, as it was evaluated."""

    strategy: Strategy
    data: bytes  # of its file
    trial: Trial
    known: Judgement | None  # from an earlier opening

    @property
    def sharpe(self) -> float:
        """Annualised, over the search range; nan if it failed."""
        return json.loads(self.trial.result)["own"]["sharpe"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an opening of the holdout would do."""

    version: str
    commit: str
    later: tuple[Window, ...]  # validation and holdout, where they exist; empty without a holdout
    candidates: tuple[Candidate, ...]
    before: int  # sources that this holdout was opened for so far, interrupted judgements included
    prospect: Prospect

    @property
    def asked(self) -> tuple[Candidate, ...]:
        """Candidates that the holdout is opened for now."""
        return (
            tuple(
                candidate for candidate in self.candidates if candidate.known is None and not candidate.trial.error_kind
            )
            if self.later
            else ()
        )


def plan(arena: EvaluationContext, ledger: Ledger, version: str) -> Plan:
    """
    Plans an opening from the committed strategies and opens nothing.

    Raises ArenaError for an invalid version, a strategy that is not committed or was never evaluated, and a ledger
    whose chain is broken.
    """
    if not VERSION.fullmatch(version):
        raise ArenaError(f"{version!r} is no version. Expected for example 0.1.0.")
    if broken := ledger.check():
        raise ArenaError(
            f"the ledger is not as it was written: {broken[0]}. `uv run judge.py verify` has the rest; nothing was "
            f"opened."
        )
    settings = arena.settings
    spent = opened(ledger, arena)
    candidates = tuple(_candidates(arena, ledger, settings.max_strategies))
    new = {
        candidate.strategy.sha256
        for candidate in candidates
        if settings.holdout and candidate.known is None and not candidate.trial.error_kind
    }
    days = (settings.holdout.end - settings.holdout.start).days if settings.holdout else 0
    return Plan(
        version=version,
        commit=strategy_files.head(settings.root) or "",
        later=tuple(window for window in (settings.validation, settings.holdout) if window) if settings.holdout else (),
        candidates=candidates,
        before=len(spent),
        prospect=holdout_test.prospect(days, len(spent | new)),
    )


def opened(ledger: Ledger, arena: EvaluationContext) -> set[str]:
    """
    Returns the sha256 of every source that these candles were opened for under any contract, here or for an archived
    version.
    """
    return _noted(ledger, arena) | archive_reader.opened(arena.settings.root, candles_id(arena))


def _noted(ledger: Ledger, arena: EvaluationContext) -> set[str]:
    return {
        entry.sha256 for entry in ledger.noted("opening") if json.loads(entry.result)["holdout"] == candles_id(arena)
    }


def judged(ledger: Ledger, arena: EvaluationContext) -> dict[str, Judgement]:
    """Returns the judgement on these candles by source."""
    judgements = {}
    for entry in ledger.noted("judgement"):
        judgement = json.loads(entry.result)
        if judgement.pop("holdout_id") == candles_id(arena):
            judgements[entry.sha256] = JUDGEMENT.validate_python(judgement)
    return judgements


def candles_id(arena: EvaluationContext) -> str:
    """Returns the same id for the same candles; empty without a holdout."""
    return arena.lock.content.get(f"{data_lock.DATA}/holdout.sealed", "")


def _candidates(arena: EvaluationContext, ledger: Ledger, cap: int) -> Iterator[Candidate]:
    root, trial_by_sha, judgement_by_sha = (
        arena.settings.root,
        distinct(ledger.trials(arena.lock.contract)),
        judged(ledger, arena),
    )
    head = strategy_files.head(root)
    for file in strategy_files.find(root / strategy_files.FOLDER, cap):
        data = strategy_files.content(file)
        label = strategy_files.label(root, head, file, data)
        if label == "unknown" or label.endswith("+dirty"):
            raise ArenaError(
                f"{file.name} is not as it was committed. Commit it, or restore it: what is judged is what git has."
            )
        try:
            strategy = strategy_files.examine(file, arena.settings, data)
        except StrategyError as error:
            raise ArenaError(f"{file.name}: {error}. Remove it, or mend it.") from None
        if strategy.sha256 not in trial_by_sha:
            raise ArenaError(
                f"{file.name} was never evaluated under contract {arena.lock.contract[:8]}. Run `uv run run.py` first."
            )
        yield Candidate(strategy, data, trial_by_sha[strategy.sha256], judgement_by_sha.get(strategy.sha256))


def judge(
    made: Plan, arena: EvaluationContext, ledger: Ledger, tables: tuple[Tables, ...], say: Say
) -> list[Judgement]:
    """
    Records the openings, evaluates all ranges in one continuous run, and records the results. Returns one Judgement per
    candidate.

    Only the workers receive the candles. An interruption leaves openings without a judgement; a later call judges them.
    """
    noted = _noted(ledger, arena)
    for candidate in made.asked:
        if candidate.strategy.sha256 not in noted:
            opening = {"holdout": candles_id(arena), "version": made.version, "days": made.prospect.days}
            ledger.append(_entry("opening", candidate, arena, json.dumps(opening), ""))
    judgement_by_sha = {
        candidate.strategy.sha256: candidate.known or _unopened(made, candidate) for candidate in made.candidates
    }
    if made.asked:
        whole = context.over(arena, (*arena.settings.windows, *made.later), tables)
        pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
        try:
            outcomes = pool.map(lambda candidate: backends.outcome(candidate.strategy, whole), made.asked)
            for candidate, outcome in zip(made.asked, outcomes, strict=True):
                judgement = judgement_by_sha[candidate.strategy.sha256] = _judgement(
                    made, candidate, outcome, whole, say
                )
                ledger.append(
                    _entry(
                        "judgement",
                        candidate,
                        arena,
                        json.dumps(asdict(judgement) | {"holdout_id": candles_id(arena)}),
                        judgement.verdict,
                    )
                )
                say(f"{candidate.strategy.name}: judged")
        except BaseException:
            client.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return [judgement_by_sha[candidate.strategy.sha256] for candidate in made.candidates]


def _entry(kind: str, candidate: Candidate, arena: EvaluationContext, result: str, verdict: str) -> Entry:
    strategy = candidate.strategy
    return Entry(
        kind,
        arena.lock.contract,
        strategy.name,
        strategy.sha256,
        strategy.source,
        candidate.trial.commit,
        result=result,
        verdict=verdict,
    )


def _searched(candidate: Candidate) -> Stretch:
    """Returns the ledger's figures for the search range."""
    result = RESULT.validate_json(candidate.trial.result)
    own, hold = result.own, result.hold
    return Stretch(len(candidate.trial.returns), own.sharpe, own.profit, own.max_drawdown, hold.sharpe, hold.profit)


def _unopened(plan: Plan, candidate: Candidate) -> Judgement:
    """Judges without opening: there is no holdout, or the strategy failed in the search."""
    error = RESULT.validate_json(candidate.trial.result).error
    verdict, why = (
        (holdout_test.REJECTED, f"failed in the search: {error}")
        if error
        else (holdout_test.OPEN, "there is no holdout")
    )
    return Judgement(
        candidate.strategy.name,
        candidate.strategy.sha256,
        plan.version,
        verdict,
        why,
        _searched(candidate),
        None,
        None,
        error=error,
    )


def _judgement(
    plan: Plan, candidate: Candidate, outcome: Earned | StrategyError, whole: EvaluationContext, say: Say
) -> Judgement:
    prospect, search = plan.prospect, _searched(candidate)
    terms: dict[str, Any] = {
        "strategy": candidate.strategy.name, "sha256": candidate.strategy.sha256, "version": plan.version,
        "search": search, "needed": 1 - prospect.level, "power": holdout_test.power(search.sharpe, prospect),
        "openings": prospect.openings,
    }  # fmt: skip
    if isinstance(outcome, StrategyError):
        message = printable(str(outcome))
        return Judgement(
            **terms, verdict=holdout_test.REJECTED, why=message, validation=None, holdout=None, error=message
        )
    run = outcome.figures
    again = metrics.sharpe(within(run, whole, Window("search", whole.settings.search.start, plan.later[0].start)))
    if not abs(again - search.sharpe) <= SHIFTED:
        say(
            f"{candidate.strategy.name}: in the run that goes on, the search range has Sharpe {again:.4f}; the ledger "
            f"has {search.sharpe:.4f}"
        )
    holdout_returns, error = within(run, whole, plan.later[-1]), _fault(run)
    verdict, why, above = holdout_test.verdict(search.sharpe, holdout_returns, prospect, error)
    low, high = figures.interval(holdout_returns, candidate.strategy)
    return Judgement(
        **terms, verdict=verdict, why=why, validation=stretch(run, whole, "validation"),
        holdout=stretch(run, whole, "holdout"), low=low, high=high, probability=above, engine=run["engine"],
        relabel_sharpe=run["checks"].relabel_sharpe, error=error,
    )  # fmt: skip


def _fault(run: dict[str, Any]) -> str:
    """
    Returns which check of the whole run refutes the figures; empty for none. Checks that raise errors have done so
    before.
    """
    if run["checks"].replay == "differs":
        return f"replay differs from FreqTrade's loop: {printable(run['engine_note'])}"
    relabel = next(gate for gate in run["gates"] if gate.gate == "relabel")
    return "" if relabel.passed else f"relabel: {100 * relabel.figure:.0f} % of its Sharpe is lost under other names"


def within(found: dict[str, Any], whole: EvaluationContext, window: Window) -> NDArray[np.float64]:
    """Returns the (n_days,) daily returns of one window of a run over all ranges."""
    first, end = ((ms - whole.settings.search.start_ms) // metrics.DAY_MS for ms in (window.start_ms, window.end_ms))
    return np.array(found["daily_returns"][first:end])


def stretch(found: dict[str, Any], whole: EvaluationContext, name: str) -> Stretch | None:
    """Returns one window of that run; None if no window has this name."""
    for window, result in zip(whole.settings.windows, found["windows"], strict=True):
        if window.name == name:
            days = len(within(found, whole, window))
            return Stretch(
                days,
                result.own.sharpe,
                result.own.profit,
                result.own.max_drawdown,
                result.hold.sharpe,
                result.hold.profit,
            )
    return None
