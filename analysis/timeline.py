"""A run in order of time: each trial of the ledger, whether git kept it, and what results.tsv says of it."""

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
"""Most trials that stand for a run without an active strategy."""
RESULT = TypeAdapter(Result)
DECISION = re.compile(r"\b(kept|discarded)\b")


@dataclass(frozen=True, slots=True)
class Tried:
    """One source as last evaluated. Figures are nan where it failed or has none; ratios as in arena.records."""

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
    luck_line: float  # as recorded with the trial
    # the new best in the validation window, rounded to the ladder's step; nan if there was none
    validation: float
    active: bool  # its source is in the strategies' folder now
    result: Result  # as it was recorded
    returns: NDArray[np.float64]  # (n_days,) daily, of the search range; empty where it failed

    @property
    def fate(self) -> str:
        """Its outcome, a key of style.FATES."""
        return "kept" if self.kept else "of other searches" if self.elsewhere else "discarded"


@dataclass(frozen=True, slots=True)
class Story:
    contract: str
    source: str  # of the candles
    search: str  # its range
    tried: tuple[Tried, ...]
    settings: Settings  # config.json as it is now
    journal: Journal  # results.tsv
    history: set[str]  # commits that HEAD holds, as strategy_files.history names them
    # all sources that count for luck, including those only begun and those of other contracts on these candles
    known: Known

    def running_best(self) -> list[float]:
        """Returns for each trial the best kept Sharpe ratio so far; nan before the first."""
        best, bests = math.nan, []
        for trial in self.tried:
            if trial.kept and not math.isnan(trial.sharpe):
                best = trial.sharpe if math.isnan(best) else max(best, trial.sharpe)
            bests.append(best)
        return bests

    def earned(self) -> tuple[Tried, ...]:
        """Returns the trials that did not fail, in order of time."""
        return tuple(trial for trial in self.tried if not trial.failed)

    def shown(self) -> tuple[str, tuple[Tried, ...]]:
        """
        Returns the trials that stand for the run, and their title: active strategies, else the best kept, else the
        best.
        """
        if active := [trial for trial in self.earned() if trial.active]:
            return "active strategies", tuple(active)
        ranked = sorted(
            (trial for trial in self.earned() if not math.isnan(trial.sharpe)), key=lambda trial: -trial.sharpe
        )
        kept = [trial for trial in ranked if trial.kept]
        return ("best trials that were kept", tuple(kept[:SHOWN])) if kept else ("best trials", tuple(ranked[:SHOWN]))

    def place(self, strategy: str) -> int:
        """Returns a strategy's index among those drawn in colours, the same in every picture; -1 for all others."""
        names = list(dict.fromkeys((*results_log.active(self.journal), *(trial.strategy for trial in self.shown()[1]))))
        return names.index(strategy) if strategy in names else -1

    def held(self, row: Row) -> bool:
        """
        Whether a row's change was kept: git holds its commit, and its note does not end in `discarded`. A commit can
        stay for one strategy while another one that it changed is put back later.
        """
        return row.commit[: strategy_files.PREFIX] in self.history and not _discarded(row.note)

    def evidence(self) -> Evidence:
        """Returns what all trials say about the newest one today, as run.py would; nan where there are too few."""
        returns = [trial.returns for trial in self.tried if len(trial.returns)]
        if not returns:
            return Evidence(self.known.count, math.nan, math.nan, math.nan, math.nan)
        placed = self.known.placed(len(returns[-1]))
        return selection_bias.evidence(returns[-1], [*returns, *placed.whole], self.known.count, placed.filled)


def begin() -> Story:
    """
    Returns the story of the notebook's folder, with or without trials, and prints a line about it.

    Raises SystemExit with the reason if there is none: it stops a notebook without a traceback.
    """
    try:
        story = read(Path.cwd(), empty=True)
    except ArenaError as error:
        raise SystemExit(str(error)) from None
    kept = sum(trial.kept for trial in story.tried)
    print(
        f"{len(story.tried)} trials, {kept} kept, contract {story.contract[:8]}, candles from {story.source}, "
        f"{story.search}"
    )
    return story


def read(root: Path, *, empty: bool = False) -> Story:
    """
    Returns the story under the current contract. `empty`: an arena without a trial has a story too.

    Raises
    ------
    ArenaError
        Nothing is prepared, or nothing was recorded.
    """
    locked = data_lock.read(root)
    if locked is None:
        raise ArenaError("the arena is not prepared. Run `uv run prepare.py` first.")
    ledger = Ledger(root / LEDGER) if (root / LEDGER).exists() else None
    recorded = ledger.trials(locked.contract) if ledger else []
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
        known=on_candles_of(ledger, locked.contract) if ledger else Known(),
    )


def _discarded(note: str) -> bool:
    """Whether a note's decision is `discarded`: as program.md has it, the last of the two words before `next:`."""
    return DECISION.findall(note.partition("next:")[0])[-1:] == ["discarded"]


def _plain(commit: str) -> str:
    """
    Returns the commit without the mark of an uncommitted file: that trial belongs to the search whose head it was.
    """
    return commit.partition("+")[0]


def _present(root: Path) -> set[str]:
    """Returns the sha256 of each strategy in the agent's folder."""
    try:
        files = strategy_files.find(root / strategy_files.FOLDER, None)
    except ArenaError:  # none
        return set()
    return {hashlib.sha256(strategy_files.content(file)).hexdigest() for file in files}
