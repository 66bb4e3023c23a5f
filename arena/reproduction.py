"""
Are archived versions as they were written, and do their frozen sources earn the same figures again?

Versions of the contract of now are evaluated again: the account over the search range against ledger.parquet, and, where the
holdout was opened for them in this folder, one run over all ranges against meta.yaml. Of other versions the files alone are checked.
Not evaluated again: causality, relabelling and stress, and the evidence of all trials.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from arena import archive, comparison, figures, holdout, opening, strategies
from arena.errors import StrategyError
from arena.ledger import LEDGER, Ledger
from arena.opening import Arena
from arena.records import Strategy
from arena.settings import Settings

ACCOUNT = ("own", "hold", "windows", "pairs", "robust_sharpe", "closed_sharpe", "rejected_entries")
"""Fields of a Result that follow from the account alone."""
JUDGED = ("validation", "holdout", "low", "high")

Say = Callable[[str], None]


def versions(settings: Settings, passphrase: Callable[[], str | None], say: Say) -> int:
    """Tell of each archived version what holds and what does not, a line each. Returns the number of lines that tell of a difference."""
    found, arena, whole = 0, None, None
    for version in archive.versions(settings.root):
        folder = settings.root / archive.FOLDER / version
        problems = archive.broken(folder)
        for problem in problems:
            say(f"{archive.FOLDER}/{version}: {problem}. Restore it from git; corrections go to {archive.ERRATA}")
        found += len(problems)
        if problems:
            continue
        meta = yaml.safe_load((folder / archive.META).read_text(encoding="utf-8"))
        arena = arena or opening.open_arena(settings, record=False)
        if meta["contract"]["hash"] != arena.lock.contract:
            say(f"{archive.FOLDER}/{version}: every file is as it was archived; of contract {meta['contract']['hash'][:8]}, so not evaluated again")
            continue
        spent = _opened(arena)
        if whole is None and any(one["sha256"] in spent for one in meta["strategies"]):
            later = tuple(window for window in (settings.validation, settings.holdout) if window)
            whole = opening.over(arena, (*settings.windows, *later), opening.sealed_candles(arena, passphrase()))
        for one in meta["strategies"]:
            found += _strategy(folder, one, arena, whole if one["sha256"] in spent else None, say)
    return found


def _opened(arena: Arena) -> set[str]:
    file = arena.settings.root / LEDGER
    return holdout.opened(Ledger(file), arena) if arena.settings.holdout and file.exists() else set()


def _strategy(folder: Path, told: dict[str, Any], arena: Arena, whole: Arena | None, say: Say) -> int:
    """1 when a figure of one archived strategy differs."""
    name = f"{archive.FOLDER}/{folder.name} {told['strategy']}"
    if told["error"]:
        say(f"{name}: failed then, so there is no figure to compare")
        return 0
    strategy = strategies.examine(folder / "strategies" / f"{told['strategy']}.py", arena.settings)
    try:
        unlike, n = _searched(folder, strategy, arena)
        if whole is not None:
            more, m = _judged(told, strategy, whole)
            unlike, n = [*unlike, *more], n + m
    except StrategyError as error:
        say(f"{name}: fails now: {error}")
        return 1
    if unlike:
        say(f"{name}: {comparison.told(unlike)}")
        return 1
    say(f"{name}: {n} figures are the archive's" + ("" if whole or not told["holdout"] else "; the holdout was not opened for it here"))
    return 0


def _searched(folder: Path, strategy: Strategy, arena: Arena) -> tuple[list[str], int]:
    rows = pd.read_parquet(folder / archive.TRIALS)
    row = rows[rows["sha256"] == strategy.sha256].iloc[-1]
    kept = {name: value for name, value in json.loads(row["result"]).items() if name in ACCOUNT} | {"daily_returns": [float(r) for r in row["daily_returns"]]}
    now = figures.measured(strategy, arena, figures.account(strategy, arena))
    return _compared(kept, {name: now[name] for name in kept})


def _judged(told: dict[str, Any], strategy: Strategy, whole: Arena) -> tuple[list[str], int]:
    found = figures.measured(strategy, whole, figures.account(strategy, whole))
    low, high = figures.interval(holdout.within(found, whole, whole.settings.windows[-1]), strategy)
    parts = {name: (part := holdout.stretch(found, whole, name)) and asdict(part) for name in ("validation", "holdout")}
    return _compared({name: told[name] for name in JUDGED}, parts | {"low": low, "high": high})


def _compared(before: Any, now: Any) -> tuple[list[str], int]:
    """What differs, a phrase each, and how many figures there are."""
    before, now = archive.plain(before), archive.plain(now)
    return list(comparison.unlike(before, now, "the archive")), comparison.count(now)
