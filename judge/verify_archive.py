"""
Are archived versions as they were written, and do their frozen sources earn the same figures again?

Versions of the same candles and config.json are evaluated again by the code of now: the account over the search range
against ledger.parquet, and, where the holdout was opened for them, one run over all ranges against meta.yaml. That
opens the holdout for nothing new: the version tells what it said, and its sources count among those it was opened for.
Of other versions the files alone are checked. Not evaluated again: causality, relabelling and stress, and the evidence
of all trials.
"""

import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from arena.errors import StrategyError
from arena.evaluation import context, figures
from arena.evaluation.context import Arena
from arena.ledger import data_lock, strategy_files
from arena.records import Strategy
from arena.settings import Settings
from judge import archive, archive_reader, differences, holdout

ACCOUNT = ("own", "hold", "windows", "pairs", "robust_sharpe", "closed_sharpe", "rejected_entries")
"""Fields of a Result that follow from the account alone."""
JUDGED = ("validation", "holdout", "low", "high")
APART = 1e-6
"""So far, relatively, may a figure lie from the archive's where other code or other versions of packages compute it."""

Say = Callable[[str], None]


def versions(settings: Settings, passphrase: Callable[[], str | None], say: Say) -> int:
    """
    Tell of each archived version what holds and what does not, a line each. Returns the number of lines that tell of a
    difference.

    A figure that other code computes otherwise is a difference too, until the version's errata.md says something.
    """
    found, arena, whole = 0, None, None
    for version in archive_reader.versions(settings.root):
        folder = settings.root / archive_reader.FOLDER / version
        there = archive_reader.contents(folder)
        problems = archive_reader.broken(folder, there)
        for problem in problems:
            say(
                f"{archive_reader.FOLDER}/{version}: {problem}. Restore it from git; corrections go to "
                f"{archive_reader.ERRATA}"
            )
        found += len(problems)
        if problems:
            continue
        meta = archive_reader.read(settings.root, version, there)
        arena = arena or context.open_arena(settings, record=False)
        if meta["contract"]["conditions"] != data_lock.conditions(arena.lock):
            say(
                f"{archive_reader.FOLDER}/{version}: every file is as it was archived; of other candles or another "
                f"config.json, so not evaluated again"
            )
            continue
        if whole is None and any(one["holdout"] for one in meta["strategies"]):
            later = tuple(window for window in (settings.validation, settings.holdout) if window)
            whole = context.over(arena, (*settings.windows, *later), context.sealed_candles(arena, passphrase()))
        same = meta["contract"]["hash"] == arena.lock.contract
        if not same:
            say(
                f"{archive_reader.FOLDER}/{version}: of contract {meta['contract']['hash'][:8]}, evaluated again by "
                f"the code of {arena.lock.contract[:8]}"
            )
        known = not same and (folder / archive_reader.ERRATA).exists()
        differing = sum(
            _strategy(folder, there, one, arena, whole if one["holdout"] else None, 0.0 if same else APART, say)
            for one in meta["strategies"]
        )
        if differing and known:
            say(
                f"{archive_reader.FOLDER}/{version}: what differs is the code's doing; {archive_reader.ERRATA} is "
                f"there to say why"
            )
        found += 0 if known else differing
    return found


def _strategy(
    folder: Path,
    there: dict[str, bytes | None],
    told: dict[str, Any],
    arena: Arena,
    whole: Arena | None,
    apart: float,
    say: Say,
) -> int:
    """1 when a figure of one archived strategy differs."""
    name = f"{archive_reader.FOLDER}/{folder.name} {told['strategy']}"
    if told["error"]:
        say(f"{name}: failed then, so there is no figure to compare")
        return 0
    try:
        file = f"strategies/{told['strategy']}.py"
        strategy = strategy_files.examine(folder / file, arena.settings, there.get(file) or b"")
        unlike, n = _searched(there, strategy, arena, apart)
        if whole is not None:
            more, m = _judged(told, strategy, whole, apart)
            unlike, n = [*unlike, *more], n + m
    except StrategyError as error:
        say(f"{name}: fails now: {error}")
        return 1
    if unlike:
        say(f"{name}: {differences.told(unlike)}")
        return 1
    say(f"{name}: {n} figures are the archive's")
    return 0


def _searched(there: dict[str, bytes | None], strategy: Strategy, arena: Arena, apart: float) -> tuple[list[str], int]:
    rows = pd.read_parquet(io.BytesIO(there[archive_reader.TRIALS] or b""))
    row = rows[rows["sha256"] == strategy.sha256].iloc[-1]
    kept = {name: value for name, value in json.loads(row["result"]).items() if name in ACCOUNT} | {
        "daily_returns": [float(r) for r in row["daily_returns"]]
    }
    now = figures.measured(strategy, arena, figures.account(strategy, arena))
    return _compared(kept, {name: now[name] for name in kept}, apart)


def _judged(told: dict[str, Any], strategy: Strategy, whole: Arena, apart: float) -> tuple[list[str], int]:
    found = figures.measured(strategy, whole, figures.account(strategy, whole))
    low, high = figures.interval(holdout.within(found, whole, whole.settings.windows[-1]), strategy)
    parts = {name: (part := holdout.stretch(found, whole, name)) and asdict(part) for name in ("validation", "holdout")}
    return _compared({name: told[name] for name in JUDGED}, parts | {"low": low, "high": high}, apart)


def _compared(before: Any, now: Any, apart: float) -> tuple[list[str], int]:
    """What differs, a phrase each, and how many figures there are."""
    before, now = archive.plain(before), archive.plain(now)
    return list(differences.unlike(before, now, "the archive", apart=apart)), differences.count(now)
