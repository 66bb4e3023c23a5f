"""
Checks that archived versions are unchanged and that their frozen sources earn the same figures again.

Today's code evaluates versions of the same candles and config.json again: the account over the search range against
ledger.parquet and, if the holdout was opened for them, one run over all ranges against meta.yaml. That opens the
holdout for nothing new: the version holds its answer, and its sources count as opened. For other versions only the
files are checked. Not evaluated again: causality, relabelling and stress, and the evidence of all trials.
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
from arena.evaluation.context import EvaluationContext
from arena.ledger import data_lock, strategy_files
from arena.records import Strategy
from arena.settings import Settings
from judge import archive, archive_reader, differences, holdout

ACCOUNT = ("own", "hold", "windows", "pairs", "robust_sharpe", "closed_sharpe", "rejected_entries")
"""Fields of a Result that follow from the account alone."""
JUDGED = ("validation", "holdout", "low", "high")
APART = 1e-6
"""Largest relative difference from the archive where other code or other package versions compute a figure."""

Say = Callable[[str], None]


def versions(settings: Settings, passphrase: Callable[[], str | None], say: Say) -> int:
    """
    Reports what holds and what differs in each archived version, a line each. Returns the number of lines about a
    difference.

    A figure that other code computes differently is a difference too, unless the version has an errata.md.
    """
    n_differences, arena, whole = 0, None, None
    for version in archive_reader.versions(settings.root):
        folder = settings.root / archive_reader.FOLDER / version
        contents = archive_reader.contents(folder)
        problems = archive_reader.broken(folder, contents)
        for problem in problems:
            say(
                f"{archive_reader.FOLDER}/{version}: {problem}. Restore it from git; corrections go to "
                f"{archive_reader.ERRATA}"
            )
        n_differences += len(problems)
        if problems:
            continue
        meta = archive_reader.read(settings.root, version, contents)
        arena = arena or context.open_arena(settings, record=False)
        if meta["contract"]["conditions"] != data_lock.conditions(arena.lock):
            say(
                f"{archive_reader.FOLDER}/{version}: every file is as it was archived; of other candles or another "
                f"config.json, so not evaluated again"
            )
            continue
        if whole is None and any(strategy["holdout"] for strategy in meta["strategies"]):
            later = tuple(window for window in (settings.validation, settings.holdout) if window)
            whole = context.over(arena, (*settings.windows, *later), context.sealed_candles(arena, passphrase()))
        same = meta["contract"]["hash"] == arena.lock.contract
        if not same:
            say(
                f"{archive_reader.FOLDER}/{version}: of contract {meta['contract']['hash'][:8]}, evaluated again by "
                f"the code of {arena.lock.contract[:8]}"
            )
        explained = not same and (folder / archive_reader.ERRATA).exists()
        differing = sum(
            _strategy(
                folder, contents, strategy, arena, whole if strategy["holdout"] else None, 0.0 if same else APART, say
            )
            for strategy in meta["strategies"]
        )
        if differing and explained:
            say(
                f"{archive_reader.FOLDER}/{version}: what differs is the code's doing; {archive_reader.ERRATA} is "
                f"there to say why"
            )
        n_differences += 0 if explained else differing
    return n_differences


def _strategy(
    folder: Path,
    contents: dict[str, bytes | None],
    recorded: dict[str, Any],
    arena: EvaluationContext,
    whole: EvaluationContext | None,
    apart: float,
    say: Say,
) -> int:
    """Returns 1 if a figure of one archived strategy differs, else 0."""
    name = f"{archive_reader.FOLDER}/{folder.name} {recorded['strategy']}"
    if recorded["error"]:
        say(f"{name}: failed then, so there is no figure to compare")
        return 0
    try:
        file = f"strategies/{recorded['strategy']}.py"
        strategy = strategy_files.examine(folder / file, arena.settings, contents.get(file) or b"")
        unlike, n = _searched(contents, strategy, arena, apart)
        if whole is not None:
            more, m = _judged(recorded, strategy, whole, apart)
            unlike, n = [*unlike, *more], n + m
    except StrategyError as error:
        say(f"{name}: fails now: {error}")
        return 1
    if unlike:
        say(f"{name}: {differences.told(unlike)}")
        return 1
    say(f"{name}: {n} figures are the archive's")
    return 0


def _searched(
    contents: dict[str, bytes | None], strategy: Strategy, arena: EvaluationContext, apart: float
) -> tuple[list[str], int]:
    rows = pd.read_parquet(io.BytesIO(contents[archive_reader.TRIALS] or b""))
    row = rows[rows["sha256"] == strategy.sha256].iloc[-1]
    recorded = {name: value for name, value in json.loads(row["result"]).items() if name in ACCOUNT} | {
        "daily_returns": [float(r) for r in row["daily_returns"]]
    }
    now = figures.measured(strategy, arena, figures.account(strategy, arena))
    return _compared(recorded, {name: now[name] for name in recorded}, apart)


def _judged(
    recorded: dict[str, Any], strategy: Strategy, whole: EvaluationContext, apart: float
) -> tuple[list[str], int]:
    run = figures.measured(strategy, whole, figures.account(strategy, whole))
    low, high = figures.interval(holdout.within(run, whole, whole.settings.windows[-1]), strategy)
    parts = {name: (part := holdout.stretch(run, whole, name)) and asdict(part) for name in ("validation", "holdout")}
    return _compared({name: recorded[name] for name in JUDGED}, parts | {"low": low, "high": high}, apart)


def _compared(before: Any, now: Any, apart: float) -> tuple[list[str], int]:
    """Returns a phrase per difference, and the number of figures."""
    before, now = archive.plain(before), archive.plain(now)
    return list(differences.unlike(before, now, "the archive", apart=apart)), differences.count(now)
