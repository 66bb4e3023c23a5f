"""
Checks after a run that the committed sources earn what was recorded.

This module checks the ledger's chain and clones the repository at HEAD. The clone's own run.py evaluates the strategies
anew, with its own ledger and the full causality check. Each figure is compared with the recorded one.

Not compared: what depends on all trials at the time (evidence, and the ladder's answer), seconds, and the depth of the
causality check then. Not covered: discarded strategies, whose sources the ledger has and git may not.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arena import git, settings
from arena.errors import ArenaError, ConfigError
from arena.ledger import anchor, data_lock, results_log, strategy_files
from arena.ledger.data_lock import Lock
from arena.ledger.store import LEDGER, Ledger, Trial, distinct
from arena.settings import Settings
from arena.stats.gates import EVIDENCE
from judge import archive_reader, differences

NOT_COMPARED = ("seconds", "cached", "commit", "sandbox", "evidence", "look", "frames")

Say = Callable[[str], None]


def verify(arena: Settings, locked: Lock, say: Say) -> int:
    """
    Reports what holds and what differs in ledger, results.tsv and the committed strategies, a line each. Returns the
    number of lines about a difference. Raises ArenaError if nothing was recorded, neither here nor in an archive.
    """
    if not (arena.root / LEDGER).exists():
        if losses := Ledger(arena.root / LEDGER).wrong():
            say(f"ledger: {losses[0]}")
            return 1
        if archive_reader.versions(arena.root):
            say(f"ledger: there is none at {LEDGER}; the archive alone could be verified")
            return 0
        raise ArenaError(f"there is no ledger at {LEDGER}: nothing was recorded here. Run `uv run run.py` first.")
    ledger = Ledger(arena.root / LEDGER)
    trials = ledger.trials(locked.contract)
    problems = [f"ledger: {problem}" for problem in ledger.check()]
    if not problems:
        say(
            f"ledger: every entry is as it was written; {len(trials)} evaluations under contract "
            f"{locked.contract[:8]}; head {ledger.head()[:16]}"
        )
    problems += _journal(arena, trials)
    for line in problems:
        say(line)
    with tempfile.TemporaryDirectory(prefix="touchstone-verify-") as folder:
        clone = _clone(arena, locked, Path(folder, "clone"))
        changed = _other_code(clone, locked)
        for line in changed:
            say(line)
        try:
            return len(problems) + (len(changed) or _evaluated(clone, trials, locked.contract, say))
        finally:
            anchor.forget(clone.resolve() / LEDGER)


def _journal(arena: Settings, trials: list[Trial]) -> list[str]:
    """Returns a line per row of results.tsv whose figures differ from the ledger's."""
    problems = []
    rows = {(t.commit, t.strategy): t for t in trials}  # the newest of each
    for row in results_log.read(arena.root / results_log.FILE).rows:
        trial = next(
            (t for (commit, name), t in rows.items() if name == row.strategy and row.commit.startswith(commit.lower())),
            None,
        )
        if row.event == "kill" or trial is None:
            continue
        own = json.loads(trial.result)["own"]
        if (
            wanted := results_log.row(row.commit, row.event, row.strategy, own["sharpe"], own["max_drawdown"]).split(
                "\t"
            )[3:5]
        ) != _figures(row):
            problems.append(
                f"{results_log.FILE} line {row.line}: {row.strategy} at {row.commit} has {' '.join(_figures(row))}, "
                f"the ledger has {' '.join(wanted)}"
            )
    return problems


def _figures(row: results_log.Row) -> list[str]:
    return results_log.row(row.commit, row.event, row.strategy, row.sharpe, row.max_drawdown).split("\t")[3:5]


def _clone(arena: Settings, locked: Lock, clone: Path) -> Path:
    """Clones the repository as committed and adds this arena's data and lock."""
    # without hard links git reads each object and verifies that its name is the hash of its bytes
    command = git.command(
        "clone",
        "--quiet",
        "--no-local",
        "--template=",
        str(arena.root),
        str(clone),
        options=("core.autocrlf=false", "core.eol=lf"),
    )
    process = subprocess.run(command, capture_output=True, text=True, env=git.environment(arena.root))
    if process.returncode:
        raise ArenaError(
            f"git cannot clone {arena.root}: {process.stderr.strip() or 'no reason given'}. What is not committed "
            f"cannot be verified."
        )
    read = data_lock.reader(locked, arena.root)
    for name in locked.data | locked.sealed:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes(read(name.removeprefix(f"{data_lock.DATA}/")))
    data_lock.write(clone, locked)
    return clone


def _other_code(clone: Path, locked: Lock) -> list[str]:
    """Returns contract files whose committed version differs from the locked one."""
    try:
        hashes = data_lock.code_hashes(settings.load(clone / "config.json"))
    except ConfigError as error:
        return [f"HEAD: {error}"]
    committed, wanted = hashes.contract | hashes.presentation, locked.all_code
    names = sorted(name for name in committed.keys() | wanted.keys() if committed.get(name) != wanted.get(name))
    return [f"HEAD: {name} is not what the arena was locked with. Commit it, or restore it" for name in names]


def _evaluated(clone: Path, trials: list[Trial], contract: str, say: Say) -> int:
    """Evaluates in the clone, by its own code in its own processes, and compares."""
    if not any((clone / strategy_files.FOLDER).glob("[!_]*.py")):
        say("HEAD: holds no strategy, so there is nothing to evaluate again")
        return 0
    command = [sys.executable, "run.py", "--causality", "full"]
    process = subprocess.run(command, cwd=clone, capture_output=True, text=True)
    if process.returncode not in (0, 1):
        raise ArenaError(
            f"the clone of HEAD cannot be evaluated: "
            f"{process.stderr.strip().splitlines()[-1] if process.stderr.strip() else 'no reason given'}"
        )
    recorded, different = distinct(trials), 0
    for trial in sorted(Ledger(clone / LEDGER).trials(contract), key=lambda trial: trial.strategy):
        before_trial = recorded.get(trial.sha256)
        if before_trial is None:
            say(
                f"{trial.strategy} {trial.commit}: was never evaluated here under this contract; run.py has the figures"
            )
            different += 1
            continue
        now, before = _compared(trial), _compared(before_trial)
        unlike = list(differences.unlike(before, now, "the ledger"))
        if unlike:
            different += 1
            say(f"{trial.strategy} {trial.commit}: {differences.told(unlike)}")
        else:
            say(f"{trial.strategy} {trial.commit}: {differences.count(now)} figures are the ledger's")
    return different


def _compared(trial: Trial) -> dict[str, Any]:
    """
    Returns what must be equal in a Result; for a failure its kind alone, because each run tests other instants for
    foresight.
    """
    if trial.error_kind:
        return {"error_kind": trial.error_kind}
    result = json.loads(trial.result)
    kept = {name: value for name, value in result.items() if name not in NOT_COMPARED}
    kept["checks"] = {name: value for name, value in kept["checks"].items() if name != "causality"}
    kept["gates"] = {gate["gate"]: gate for gate in kept["gates"] if gate["gate"] not in (*EVIDENCE, "causality")}
    return kept | {"daily_returns": trial.returns.tolist()}
