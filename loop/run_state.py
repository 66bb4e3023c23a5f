"""
A run: its worktree, its log, and the arena that evaluates its rounds. Every start opens it and repairs what an
interruption left behind.

An interruption can leave a round's plan without its commit, a commit without rows, rows without a reset, half a reset,
git's lock files, half a line in results.tsv, no worktree. The newest round's file says how far it came; git is settled
to the commit of that step, and the round goes on from there.
"""

import itertools
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from arena import settings
from arena.errors import ArenaError
from arena.evaluation import context
from arena.evaluation.context import EvaluationContext, Trials
from arena.files import write_whole
from arena.ledger import data_lock, results_log
from arena.settings import Settings
from loop import git
from loop.run_log import ENDS, Facts, Log, Round
from loop.worktree import LEARNINGS, RESULTS, WORKTREES, Worktree, tags

Say = Callable[[str], None]
BEGUN = "begun"
"""File that marks the branch as a run's. It exists before the branch."""


@dataclass
class Run:
    """What a round needs. Each round appends to `rounds`; the last one may be under way."""

    facts: Facts
    worktree: Worktree
    log: Log
    settings: Settings  # config.json of the worktree
    rounds: list[Round]
    say: Say
    arena: EvaluationContext | None = None

    @property
    def root(self) -> Path:
        return self.worktree.folder

    @property
    def head(self) -> str:
        """The commit that the next round builds on."""
        return self.rounds[-1].after if self.rounds else self.facts.start

    @property
    def restore(self) -> dict[str, str | None]:
        """What the next round puts back."""
        return self.rounds[-1].restore if self.rounds else {}

    @property
    def journal(self) -> results_log.Journal:
        return results_log.read(self.root / RESULTS)

    def text(self, name: str) -> str:
        """Returns a text file of the worktree; empty if there is none."""
        try:
            return (self.root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def opened(self) -> EvaluationContext:
        """
        Returns the arena, verified as run.py verifies it, with every trial in the ledger by now: other runs share it.

        Both places are verified: the worktree is evaluated, and the checkout's code evaluates it.
        """
        data_lock.verify(settings.load(self.worktree.root / "config.json"))
        if self.arena is None:
            self.arena = context.open_arena(self.settings, record=True)
        else:
            locked = data_lock.verify(self.settings)
            self.arena = replace(self.arena, lock=locked, trials=Trials(self.arena.ledger, locked.contract))
        if self.arena.lock.contract != self.facts.contract:
            raise ArenaError(_other_contract(self.facts, self.arena.lock.contract))
        return self.arena

    def keep(self, one: Round) -> Round:
        """Makes the round durable as far as it came, and replaces its earlier record."""
        self.log.keep(one)
        if self.rounds and self.rounds[-1].number == one.number:
            self.rounds[-1] = one
        else:
            self.rounds.append(one)
        return one


def alone(worktree: Worktree) -> AbstractContextManager[None]:
    """Allows one start of a run at a time. Raises ArenaError while another one is under way."""
    return Log(worktree.root, worktree.tag).alone()


def open_run(worktree: Worktree, agent: str, seed: int, say: Say, start: str = "HEAD") -> Run:
    """
    Opens the worktree's run: begins it at a commit of the checkout, or continues it, with everything settled to where
    its log says it stands.

    Raises ArenaError when there is no such commit, the branch is somebody else's, or the arena is not the one that the
    run began with.
    """
    root, log = worktree.root, Log(worktree.root, worktree.tag)
    # so that git in a worktree without its .git never finds the checkout
    os.environ["GIT_CEILING_DIRECTORIES"] = str(root / WORKTREES)
    locked = data_lock.verify(settings.load(root / "config.json"))
    facts = log.facts()
    if facts is None:
        facts = _begin(worktree, log, agent, seed, locked.contract, start, say)
    elif facts.contract != locked.contract:
        raise ArenaError(_other_contract(facts, locked.contract))
    rounds = log.rounds()
    run = Run(facts, worktree, log, settings.load(root / "config.json"), rounds, say)
    unfinished = bool(rounds) and rounds[-1].step not in ENDS
    if worktree.branch_head() is None and rounds:
        say(f"the branch {worktree.branch} is gone: it begins again at {run.head[:7]}")
    worktree.settle(_standing(run, unfinished))
    run.settings = settings.load(run.root / "config.json")
    for name in (RESULTS, LEARNINGS):
        log.restore(run.root / name)
    _begin_texts(run)
    return run


def default_tag(root: Path, day: str) -> str:
    """Returns the day as a tag, with a number if that branch is somebody else's."""
    taken = set(tags(root))
    names = (day if k == 1 else f"{day}-{k}" for k in itertools.count(1))
    return next(name for name in names if name not in taken or (Log(root, name).folder / BEGUN).exists())


def _standing(run: Run, unfinished: bool) -> str:
    """Returns the branch's commit by the log: the round's commit until that is kept or taken back."""
    if not unfinished:
        return run.head
    last = run.rounds[-1]
    return last.commit or last.head  # a commit that the log does not have has no trial: it is made again


def _begin(worktree: Worktree, log: Log, agent: str, seed: int, contract: str, start: str, say: Say) -> Facts:
    """Begins a run with its branch at the commit `start`, and commits there contract files that are not committed."""
    if worktree.branch_head() is not None and not (log.folder / BEGUN).exists():
        raise ArenaError(
            f"the branch {worktree.branch} exists, and is no run of drive.py's. Choose another --tag, or delete it: "
            f"git branch -D {worktree.branch}"
        )
    start = _commit(worktree.root, start)
    write_whole(log.folder / BEGUN, start.encode())  # from here on the branch is ours
    worktree.settle(start)
    taken = worktree.take_over()
    if taken != start:
        say(
            "config.json or contract code is not committed as it was prepared: the run's branch begins with a commit "
            "of it"
        )
    versions = data_lock.engine_versions() | {"pydantic": version("pydantic"), "commit": start}
    facts = Facts(worktree.tag, agent, seed, contract, taken, versions)
    log.begin(facts)
    return facts


def _commit(root: Path, name: str) -> str:
    process = git.call(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if process.returncode:
        raise ArenaError(f"--start {name}: this repository has no such commit or branch. For example: --start main")
    return process.stdout.strip()


def _begin_texts(run: Run) -> None:
    """Writes results.tsv with its header and copies the checkout's learnings.md, where the run has none yet."""
    if not (run.root / RESULTS).exists():
        write_whole(run.root / RESULTS, f"{results_log.HEADER}\n".encode())
    theirs = run.worktree.root / LEARNINGS
    if not (run.root / LEARNINGS).exists() and theirs.is_file():
        shutil.copy(theirs, run.root / LEARNINGS)


def write_rows(file: Path, rows: tuple[str, ...]) -> None:
    """
    Appends the rows that results.tsv lacks, whole or not at all. Completes a row that an interruption cut off at the
    end and keeps everything else there.
    """
    text = file.read_bytes() if file.exists() else f"{results_log.HEADER}\n".encode()
    if text and not text.endswith(b"\n"):
        whole, _, last = text.rpartition(b"\n")
        cut = last and any(row.encode().startswith(last) for row in rows)
        text = (whole + b"\n" if whole else b"") if cut else text + b"\n"
    recorded = [(row.commit, row.strategy) for row in results_log.parse(text).rows]
    for row in rows:
        (new,) = results_log.parse(f"{results_log.HEADER}\n{row}\n".encode()).rows
        if (new.commit, new.strategy) not in recorded:
            text += row.encode() + b"\n"
    if not file.exists() or file.read_bytes() != text:
        write_whole(file, text)


def _other_contract(facts: Facts, contract: str) -> str:
    return (
        f"the run {facts.run} began under contract {facts.contract[:8]}, the arena is now {contract[:8]}: their "
        f"figures do not compare. "
        "Begin another run with --tag."
    )
