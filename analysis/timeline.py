"""What happened, in order: every trial of the ledger, whether git kept it, and what results.tsv says of it."""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from arena import settings
from arena.errors import ArenaError
from arena.ledger import data_lock, results_log, strategy_files
from arena.ledger.results_log import Journal, Row
from arena.ledger.store import LEDGER, Ledger, distinct
from arena.ledger.trial_history import Tried as Known
from arena.ledger.trial_history import on_candles_of
from arena.records import Result
from arena.settings import Settings
from arena.stats import gates, selection_bias
from arena.stats.selection_bias import Evidence

SHOWN = 3
"""Most trials that stand for a run in which no strategy is active."""
RESULT = TypeAdapter(Result)
DECISION = re.compile(r"\b(kept|discarded)\b")


@dataclass(frozen=True, slots=True)
class Tried:
    """
    One source, as its last evaluation found it. Figures are nan where it failed or has none; ratios as in
    arena.records.
    """

    number: int  # from 1, in the order of time
    time: datetime
    strategy: str
    commit: str
    sharpe: float
    max_drawdown: float
    passed: bool  # every gate but those of the evidence
    verdict: str
    kept: bool  # its commit is in the history of HEAD, and its row does not say that it was discarded
    # of another search in this arena: git did not keep it here, and results.tsv has rows, but none of its commit
    elsewhere: bool
    failed: str  # kind of the error; empty where there was none
    luck_line: float  # as it was then
    # the new best that the validation window told, rounded to the ladder's step; nan where it told none
    validation: float
    active: bool  # its source is a file of the strategies' folder now
    result: Result  # as it was recorded
    returns: NDArray[np.float64]  # (n_days,) daily, of the search range; empty where it failed

    @property
    def fate(self) -> str:
        """What became of it, by a name of canvas.FATES."""
        return "kept" if self.kept else "of other searches" if self.elsewhere else "discarded"


@dataclass(frozen=True, slots=True)
class Story:
    contract: str
    source: str  # of the candles
    search: str  # its range
    tried: tuple[Tried, ...]
    settings: Settings  # config.json as it is now
    journal: Journal  # results.tsv
    history: set[str]  # commits that HEAD holds, as strategies.history names them
    # all that counts in the luck: sources that were begun, and those of other contracts on these candles too
    known: Known

    def running_best(self) -> list[float]:
        """By trial, the best Sharpe so far of those that were kept; nan before the first."""
        best, found = math.nan, []
        for one in self.tried:
            if one.kept and not math.isnan(one.sharpe):
                best = one.sharpe if math.isnan(best) else max(best, one.sharpe)
            found.append(best)
        return found

    def earned(self) -> tuple[Tried, ...]:
        """Trials that did not fail, in the order of time."""
        return tuple(one for one in self.tried if not one.failed)

    def shown(self) -> tuple[str, tuple[Tried, ...]]:
        """
        The trials that stand for the run, and what they are: the active strategies, else the best that were kept, else
        the best.
        """
        if active := [one for one in self.earned() if one.active]:
            return "active strategies", tuple(active)
        known = sorted((one for one in self.earned() if not math.isnan(one.sharpe)), key=lambda one: -one.sharpe)
        kept = [one for one in known if one.kept]
        return ("best trials that were kept", tuple(kept[:SHOWN])) if kept else ("best trials", tuple(known[:SHOWN]))

    def place(self, strategy: str) -> int:
        """Of a strategy among those that are drawn in colours, the same in every picture; -1 for all others."""
        names = list(dict.fromkeys((*results_log.active(self.journal), *(one.strategy for one in self.shown()[1]))))
        return names.index(strategy) if strategy in names else -1

    def held(self, row: Row) -> bool:
        """
        Whether what a row tells of was kept: git holds its commit, and its note does not end in `discarded`. A commit
        stays for the sake of one strategy, and another one that it changed is put back later.
        """
        return row.commit[: strategy_files.PREFIX] in self.history and not _discarded(row.note)

    def evidence(self) -> Evidence:
        """What all trials say of the newest one today, as run.py would; nan where they are too few."""
        returns = [one.returns for one in self.tried if len(one.returns)]
        if not returns:
            return Evidence(self.known.count, math.nan, math.nan, math.nan, math.nan)
        placed = self.known.placed(len(returns[-1]))
        return selection_bias.evidence(returns[-1], [*returns, *placed.whole], self.known.count, placed.filled)


def begin() -> Story:
    """
    The story of the folder in which a notebook runs, with or without trials; a line says what it is of.

    Raises SystemExit with the reason where there is none: it stops a notebook without a traceback.
    """
    try:
        told = read(Path.cwd(), empty=True)
    except ArenaError as error:
        raise SystemExit(str(error)) from None
    kept = sum(one.kept for one in told.tried)
    print(
        f"{len(told.tried)} trials, {kept} kept, contract {told.contract[:8]}, candles from {told.source}, "
        f"{told.search}"
    )
    return told


def read(root: Path, *, empty: bool = False) -> Story:
    """
    Everything under the contract of now. `empty`: an arena without a trial has a story too.

    Raises
    ------
    ArenaError
        Nothing is prepared, or nothing was recorded.
    """
    locked = data_lock.read(root)
    if locked is None:
        raise ArenaError("the arena is not prepared. Run `uv run prepare.py` first.")
    there = Ledger(root / LEDGER) if (root / LEDGER).exists() else None
    recorded = there.trials(locked.contract) if there else []
    if not recorded and not empty:
        raise ArenaError(f"{LEDGER} has no trial under contract {locked.contract[:8]}. Run `uv run run.py` first.")
    kept, present, written = strategy_files.history(root), _present(root), results_log.read(root / results_log.FILE)
    named = {row.commit[: strategy_files.PREFIX] for row in written.rows}
    notes = {(row.commit[: strategy_files.PREFIX], row.strategy): row.note for row in written.rows}
    tried = []
    for number, trial in enumerate(distinct(recorded).values(), 1):
        raw = json.loads(trial.result)
        result = RESULT.validate_python(raw)
        tried.append(
            Tried(
                number=number,
                time=datetime.fromisoformat(trial.time),
                strategy=trial.strategy,
                commit=trial.commit,
                sharpe=result.own.sharpe,
                max_drawdown=result.own.max_drawdown,
                passed=gates.earned(raw["gates"]),
                verdict=trial.verdict,
                kept=trial.commit in kept
                and not result.error
                and not _discarded(notes.get((trial.commit, trial.strategy), "")),
                elsewhere=bool(named) and _plain(trial.commit) not in kept | named,
                failed=trial.error_kind,
                luck_line=result.evidence.luck_line,
                validation=result.look.best if result.look.improved else math.nan,
                active=trial.sha256 in present,
                result=result,
                returns=trial.returns,
            )
        )
    return Story(
        contract=locked.contract,
        source=locked.source["label"],
        search=locked.arena["ranges"]["search"],
        tried=tuple(tried),
        settings=settings.load(root / "config.json"),
        journal=written,
        history=kept,
        known=on_candles_of(there, locked.contract) if there else Known(),
    )


def _discarded(note: str) -> bool:
    """The decision that a note tells, as program.md has it: the last of the two words before what comes next."""
    return DECISION.findall(note.partition("next:")[0])[-1:] == ["discarded"]


def _plain(commit: str) -> str:
    """Without the mark of a file that was not committed: that trial belongs to the search whose head it was."""
    return commit.partition("+")[0]


def _present(root: Path) -> set[str]:
    """sha256 of the strategies that stand in the agent's folder."""
    try:
        files = strategy_files.find(root / strategy_files.FOLDER, None)
    except ArenaError:  # none
        return set()
    return {hashlib.sha256(strategy_files.content(file)).hexdigest() for file in files}
