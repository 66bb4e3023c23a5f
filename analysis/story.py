"""What happened, in order: every trial of the ledger, and whether git kept it."""

import json
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from arena import gates, lock, strategies
from arena.errors import ArenaError
from arena.ledger import LEDGER, Ledger, distinct

@dataclass(frozen=True, slots=True)
class Tried:
    """One source, as its last evaluation found it. Figures are nan where it failed or has none; ratios as in arena.records."""

    number: int  # from 1, in the order of time
    time: datetime
    strategy: str
    commit: str
    sharpe: float
    max_drawdown: float
    passed: bool  # every gate but those of the evidence
    verdict: str
    kept: bool  # its commit is in the history of HEAD
    failed: str  # kind of the error; empty where there was none
    luck_line: float  # as it was then
    validation: float  # the new best that the validation window told, rounded to the ladder's step; nan where it told none


@dataclass(frozen=True, slots=True)
class Story:
    contract: str
    source: str  # of the candles
    search: str  # its range
    tried: tuple[Tried, ...]

    def running_best(self) -> list[float]:
        """By trial, the best Sharpe so far of those that were kept; nan before the first."""
        best, found = math.nan, []
        for one in self.tried:
            if one.kept and not math.isnan(one.sharpe):
                best = one.sharpe if math.isnan(best) else max(best, one.sharpe)
            found.append(best)
        return found


def read(root: Path) -> Story:
    """
    Everything under the contract of now.

    Raises
    ------
    ArenaError
        Nothing is prepared, or nothing was recorded.
    """
    locked = lock.read(root)
    if locked is None:
        raise ArenaError("the arena is not prepared. Run `uv run prepare.py` first.")
    if not (root / LEDGER).exists() or not (trials := Ledger(root / LEDGER).trials(locked.contract)):
        raise ArenaError(f"{LEDGER} has no trial under contract {locked.contract[:8]}. Run `uv run run.py` first.")
    kept = strategies.history(root)
    tried = []
    for number, trial in enumerate(distinct(trials).values(), 1):
        result = json.loads(trial.result)
        tried.append(
            Tried(
                number=number,
                time=datetime.fromisoformat(trial.time),
                strategy=trial.strategy,
                commit=trial.commit,
                sharpe=result["own"]["sharpe"],
                max_drawdown=result["own"]["max_drawdown"],
                passed=gates.earned(result["gates"]),
                verdict=trial.verdict,
                kept=trial.commit in kept and not result["error"],
                failed=trial.error_kind,
                luck_line=result["evidence"]["luck_line"],
                validation=result["look"]["best"] if result["look"]["improved"] else math.nan,
            )
        )
    return Story(locked.contract, locked.source["label"], locked.arena["ranges"]["search"], tuple(tried))
