"""
The holdout, opened once for each strategy source, and each opening recorded for good.

Its candles are decrypted into memory, and go to workers through their pipes; none is ever on disk in the clear. An
opening is written into the ledger when the candles could be read and before anything is computed from them; what came
of it when it is there. A source that was judged before is answered from the ledger; one whose judgement was interrupted
is judged again, with the same figures, because nothing of them was told.

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
from arena.evaluation.context import RESULT, Arena
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
"""
By this much a Sharpe over the search range may move because the run goes on, and does not close its positions there.
"""

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
        """Annualised, over the search range; nan where it failed."""
        return json.loads(self.trial.result)["own"]["sharpe"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What opening would do."""

    version: str
    commit: str
    later: tuple[Window, ...]  # validation and holdout, as far as there are any; empty without a holdout
    candidates: tuple[Candidate, ...]
    before: int  # sources that this holdout was opened for so far, those among them whose judgement was interrupted
    prospect: Prospect

    @property
    def asked(self) -> tuple[Candidate, ...]:
        """Those that the holdout is opened for now."""
        return (
            tuple(one for one in self.candidates if one.known is None and not one.trial.error_kind)
            if self.later
            else ()
        )


def plan(arena: Arena, ledger: Ledger, version: str) -> Plan:
    """
    Look at what is committed, and open nothing.

    Raises ArenaError for a version that is none, a strategy that is not committed or was never evaluated, and a ledger
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
        one.strategy.sha256 for one in candidates if settings.holdout and one.known is None and not one.trial.error_kind
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


def opened(ledger: Ledger, arena: Arena) -> set[str]:
    """
    sha256 of every source that these very candles were opened for, under whichever contract: here, or for a version
    that is archived.
    """
    return _noted(ledger, arena) | archive_reader.opened(arena.settings.root, candles_id(arena))


def _noted(ledger: Ledger, arena: Arena) -> set[str]:
    return {one.sha256 for one in ledger.noted("opening") if json.loads(one.result)["holdout"] == candles_id(arena)}


def judged(ledger: Ledger, arena: Arena) -> dict[str, Judgement]:
    """By source, what was found on these candles."""
    found = {}
    for one in ledger.noted("judgement"):
        told = json.loads(one.result)
        if told.pop("holdout_id") == candles_id(arena):
            found[one.sha256] = JUDGEMENT.validate_python(told)
    return found


def candles_id(arena: Arena) -> str:
    """The same for the same candles; empty without a holdout."""
    return arena.lock.content.get(f"{data_lock.DATA}/holdout.sealed", "")


def _candidates(arena: Arena, ledger: Ledger, cap: int) -> Iterator[Candidate]:
    root, tried, known = arena.settings.root, distinct(ledger.trials(arena.lock.contract)), judged(ledger, arena)
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
        if strategy.sha256 not in tried:
            raise ArenaError(
                f"{file.name} was never evaluated under contract {arena.lock.contract[:8]}. Run `uv run run.py` first."
            )
        yield Candidate(strategy, data, tried[strategy.sha256], known.get(strategy.sha256))


def judge(made: Plan, arena: Arena, ledger: Ledger, tables: tuple[Tables, ...], say: Say) -> list[Judgement]:
    """
    Record the openings, evaluate over all ranges in one continuous run, record what was found. One Judgement a
    candidate.

    Candles go no further than into the workers. An interruption leaves openings without a judgement; they are judged
    later.
    """
    noted = _noted(ledger, arena)
    for one in made.asked:
        if one.strategy.sha256 not in noted:
            about = {"holdout": candles_id(arena), "version": made.version, "days": made.prospect.days}
            ledger.append(_entry("opening", one, arena, json.dumps(about), ""))
    found = {one.strategy.sha256: one.known or _unopened(made, one) for one in made.candidates}
    if made.asked:
        whole = context.over(arena, (*arena.settings.windows, *made.later), tables)
        pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
        try:
            outcomes = pool.map(lambda one: backends.outcome(one.strategy, whole), made.asked)
            for one, outcome in zip(made.asked, outcomes, strict=True):
                told = found[one.strategy.sha256] = _judgement(made, one, outcome, whole, say)
                ledger.append(
                    _entry(
                        "judgement",
                        one,
                        arena,
                        json.dumps(asdict(told) | {"holdout_id": candles_id(arena)}),
                        told.verdict,
                    )
                )
                say(f"{one.strategy.name}: judged")
        except BaseException:
            client.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return [found[one.strategy.sha256] for one in made.candidates]


def _entry(kind: str, one: Candidate, arena: Arena, told: str, verdict: str) -> Entry:
    strategy = one.strategy
    return Entry(
        kind,
        arena.lock.contract,
        strategy.name,
        strategy.sha256,
        strategy.source,
        one.trial.commit,
        result=told,
        verdict=verdict,
    )


def _searched(one: Candidate) -> Stretch:
    """What the ledger has of the search range."""
    result = RESULT.validate_json(one.trial.result)
    own, hold = result.own, result.hold
    return Stretch(len(one.trial.returns), own.sharpe, own.profit, own.max_drawdown, hold.sharpe, hold.profit)


def _unopened(made: Plan, one: Candidate) -> Judgement:
    """Without a holdout there is nothing to judge by; what failed in the search is not shown it."""
    error = RESULT.validate_json(one.trial.result).error
    verdict, why = (
        (holdout_test.REJECTED, f"failed in the search: {error}")
        if error
        else (holdout_test.OPEN, "there is no holdout")
    )
    return Judgement(
        one.strategy.name, one.strategy.sha256, made.version, verdict, why, _searched(one), None, None, error=error
    )


def _judgement(made: Plan, one: Candidate, outcome: Earned | StrategyError, whole: Arena, say: Say) -> Judgement:
    seen, search = made.prospect, _searched(one)
    terms: dict[str, Any] = {
        "strategy": one.strategy.name, "sha256": one.strategy.sha256, "version": made.version, "search": search,
        "needed": 1 - seen.level, "power": holdout_test.power(search.sharpe, seen), "openings": seen.openings,
    }  # fmt: skip
    if isinstance(outcome, StrategyError):
        told = printable(str(outcome))
        return Judgement(**terms, verdict=holdout_test.REJECTED, why=told, validation=None, holdout=None, error=told)
    found = outcome.figures
    again = metrics.sharpe(within(found, whole, Window("search", whole.settings.search.start, made.later[0].start)))
    if not abs(again - search.sharpe) <= SHIFTED:
        say(
            f"{one.strategy.name}: in the run that goes on, the search range has Sharpe {again:.4f}; the ledger has "
            f"{search.sharpe:.4f}"
        )
    held, error = within(found, whole, made.later[-1]), _fault(found)
    verdict, why, above = holdout_test.verdict(search.sharpe, held, seen, error)
    low, high = figures.interval(held, one.strategy)
    return Judgement(
        **terms, verdict=verdict, why=why, validation=stretch(found, whole, "validation"),
        holdout=stretch(found, whole, "holdout"), low=low, high=high, probability=above, engine=found["engine"],
        relabel_sharpe=found["checks"].relabel_sharpe, error=error,
    )  # fmt: skip


def _fault(found: dict[str, Any]) -> str:
    """
    Which check of the whole run says that the figures were not earned; those that would be errors have been raised.
    """
    if found["checks"].replay == "differs":
        return f"replay differs from FreqTrade's loop: {printable(found['engine_note'])}"
    relabel = next(gate for gate in found["gates"] if gate.gate == "relabel")
    return "" if relabel.passed else f"relabel: {100 * relabel.figure:.0f} % of its Sharpe is lost under other names"


def within(found: dict[str, Any], whole: Arena, window: Window) -> NDArray[np.float64]:
    """(n_days,) daily returns of one stretch of a run over the whole range."""
    first, end = ((ms - whole.settings.search.start_ms) // metrics.DAY_MS for ms in (window.start_ms, window.end_ms))
    return np.array(found["daily_returns"][first:end])


def stretch(found: dict[str, Any], whole: Arena, name: str) -> Stretch | None:
    """One window of that run; None where there is none of this name."""
    for window, one in zip(whole.settings.windows, found["windows"], strict=True):
        if window.name == name:
            days = len(within(found, whole, window))
            return Stretch(days, one.own.sharpe, one.own.profit, one.own.max_drawdown, one.hold.sharpe, one.hold.profit)
    return None
