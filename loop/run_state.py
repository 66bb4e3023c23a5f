"""
A run: its worktree, its log, and the arena that its rounds are evaluated in. Opened once a start, and mended where the
last one was interrupted.

What an interruption can leave: a round's plan without its commit, a commit without rows, rows without a reset, a reset
half done, git's lock files, half a line in results.tsv, no worktree. The newest round's file says how far it came; git
is settled to the commit of that step, and the round goes on from there.
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
from arena.evaluation.context import Arena, Trials
from arena.files import write_whole
from arena.ledger import data_lock, results_log
from arena.settings import Settings
from loop import git
from loop.run_log import ENDS, Facts, Log, Round
from loop.worktree import LEARNINGS, RESULTS, WORKTREES, Worktree, tags

Say = Callable[[str], None]
BEGUN = "begun"
"""File that says: the branch is a run's. It is there before the branch."""


@dataclass
class Run:
    """What a round needs. `rounds` grows by one a round; its last one may be under way."""

    facts: Facts
    worktree: Worktree
    log: Log
    settings: Settings  # of the worktree
    rounds: list[Round]
    say: Say
    arena: Arena | None = None

    @property
    def root(self) -> Path:
        return self.worktree.folder

    @property
    def head(self) -> str:
        """The commit on which the next round builds."""
        return self.rounds[-1].after if self.rounds else self.facts.start

    @property
    def restore(self) -> dict[str, str | None]:
        """What the next round puts back."""
        return self.rounds[-1].restore if self.rounds else {}

    @property
    def journal(self) -> results_log.Journal:
        return results_log.read(self.root / RESULTS)

    def text(self, name: str) -> str:
        """A text file of the worktree; empty where there is none."""
        try:
            return (self.root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def opened(self) -> Arena:
        """
        The arena, verified as run.py verifies it, with every trial that the ledger has by now: other runs share it.

        Both places are verified: the worktree is what is evaluated, and the checkout's code does it.
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
        """Make the round durable as far as it came, in place of what was noted of it before."""
        self.log.keep(one)
        if self.rounds and self.rounds[-1].number == one.number:
            self.rounds[-1] = one
        else:
            self.rounds.append(one)
        return one


def alone(worktree: Worktree) -> AbstractContextManager[None]:
    """One start of a run at a time. Raises ArenaError when another one is under way."""
    return Log(worktree.root, worktree.tag).alone()


def open_run(worktree: Worktree, agent: str, seed: int, say: Say, start: str = "HEAD") -> Run:
    """
    The run of the worktree: begun at a commit of the checkout, or gone on with, everything settled to where its log
    says it stands.

    Raises ArenaError when there is no such commit, the branch is somebody else's, or the arena is not the one that the
    run began with.
    """
    root, log = worktree.root, Log(worktree.root, worktree.tag)
    # a worktree without its .git never leads to the checkout
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
    """The day, or with a number where its branch is somebody else's."""
    taken = set(tags(root))
    names = (day if k == 1 else f"{day}-{k}" for k in itertools.count(1))
    return next(name for name in names if name not in taken or (Log(root, name).folder / BEGUN).exists())


def _standing(run: Run, unfinished: bool) -> str:
    """Where the branch stands by what is noted: on the round's commit while that is neither kept nor taken back."""
    if not unfinished:
        return run.head
    last = run.rounds[-1]
    return last.commit or last.head  # a commit that was made and not yet noted has no trial: it is made again


def _begin(worktree: Worktree, log: Log, agent: str, seed: int, contract: str, start: str, say: Say) -> Facts:
    """A new run, its branch at the commit `start`; contract files that are not committed there are committed here."""
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
    found = git.call(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode:
        raise ArenaError(f"--start {name}: this repository has no such commit or branch. For example: --start main")
    return found.stdout.strip()


def _begin_texts(run: Run) -> None:
    """results.tsv with its header; learnings.md as the checkout has it, where the run has none yet."""
    if not (run.root / RESULTS).exists():
        write_whole(run.root / RESULTS, f"{results_log.HEADER}\n".encode())
    theirs = run.worktree.root / LEARNINGS
    if not (run.root / LEARNINGS).exists() and theirs.is_file():
        shutil.copy(theirs, run.root / LEARNINGS)


def write_rows(file: Path, rows: tuple[str, ...]) -> None:
    """
    Append those rows that results.tsv does not have, whole or not at all. The beginning of one of them at its end,
    which an interruption left, is completed; whatever else stands there is kept.
    """
    text = file.read_bytes() if file.exists() else f"{results_log.HEADER}\n".encode()
    if text and not text.endswith(b"\n"):
        whole, _, last = text.rpartition(b"\n")
        cut = last and any(row.encode().startswith(last) for row in rows)
        text = (whole + b"\n" if whole else b"") if cut else text + b"\n"
    known = [(row.commit, row.strategy) for row in results_log.parse(text).rows]
    for row in rows:
        (new,) = results_log.parse(f"{results_log.HEADER}\n{row}\n".encode()).rows
        if (new.commit, new.strategy) not in known:
            text += row.encode() + b"\n"
    if not file.exists() or file.read_bytes() != text:
        write_whole(file, text)


def _other_contract(facts: Facts, contract: str) -> str:
    return (
        f"the run {facts.run} began under contract {facts.contract[:8]}, the arena is now {contract[:8]}: their "
        f"figures do not compare. "
        "Begin another run with --tag."
    )
