"""
Plays one search several times side by side: each run is a drive.py process with its own seed, tag, branch and journal.

All runs share this machine and the arena: one ledger counts the trials of all. Where `arena.compute` names dask, their
evaluations go there; the runs stay here, because their git branches and the ledger are files that no network file
system may hold.

A run ignores the terminal's Ctrl-C. Its standard input is a pipe of this process, and the run ends after its step when
the pipe closes: when this process asks it to, and also when this process is killed.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arena.errors import ArenaError
from arena.settings import Settings
from loop.agents import registry
from loop.driver import Interruption
from loop.run_log import ENDS, Log
from loop.worktree import Worktree

DRIVE = Path(__file__).resolve().parent.parent / "drive.py"
OWN = {"command_name", "bounds", "seeds", "jobs", "jitter", "tag", "seed", "rounds", "tether"}
"""Options that a run does not take over from the sweep."""
TEMPERATURES = (0.4, 1.2)
GOLDEN = 0.618033988749895
"""Its multiples, modulo 1, are spread evenly, however many there are."""
FREE_S = 180
"""How long an earlier start of the same run may need to end its step."""
AT_ONCE_S = 10
"""How long a run may need to end at once."""

Say = Callable[[str], None]
_saying = threading.Lock()


@dataclass(frozen=True, slots=True)
class Planned:
    """One run of the sweep."""

    seed: int
    tag: str
    log: Log
    begins: dict[str, Any]  # option -> value, where it differs from the sweep's own options

    @property
    def begun(self) -> bool:
        return self.log.facts() is not None

    def left(self, rounds: int) -> int | None:
        """Returns how many rounds to begin for `rounds` in all; None if nothing is left to do."""
        played = self.log.rounds()
        unfinished = bool(played) and played[-1].step not in ENDS
        missing = max(rounds - len(played), 0)
        return missing if missing or unfinished else None

    def free(self) -> bool:
        """Whether no other start of it is under way."""
        try:
            with self.log.alone():
                return True
        except ArenaError:
            return False


class Running:
    """The process of a run. It repeats the run's output line by line with the seed before it."""

    def __init__(self, run: Planned, words: list[str], root: Path, say: Say) -> None:
        self.run = run
        self._process = subprocess.Popen(
            words,
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._tell, args=(say,), daemon=True)
        self._reader.start()

    def _tell(self, say: Say) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip():
                say(line.rstrip())

    def release(self) -> None:
        """Lets the run end after its step."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def terminate(self) -> None:
        """Ends the run at once, as after a second Ctrl-C."""
        self._process.terminate()

    def wait(self) -> None:
        """Waits until the run ends; after AT_ONCE_S kills it with all that it started."""
        try:
            self._process.wait(AT_ONCE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def outcome(self) -> int | None:
        """Returns the exit code, negative for a signal, once it has ended and its output is read; None before."""
        if self._process.poll() is None:
            return None
        self._reader.join(AT_ONCE_S)
        self.release()
        return self._process.returncode


def planned(arena: Settings, options: argparse.Namespace) -> list[Planned]:
    """
    Plans a run for each seed of `options.seeds`.

    Raises ArenaError before anything is created: for a wrong tag, an unusable agent, or a tag under which another agent
    or seed played.
    """
    families = _families(arena, options) if options.jitter else ()
    runs = []
    for seed in options.seeds:
        worktree = Worktree(arena.root, f"{options.tag}-s{seed}")
        begins = jitter(options, seed, families) if options.jitter else {}
        run = Planned(seed, worktree.tag, Log(arena.root, worktree.tag), begins)
        registry.agent(options.agent, argparse.Namespace(**(vars(options) | {"seed": seed} | begins)), worktree)
        facts = run.log.facts()
        if facts and (facts.agent, facts.seed) != (options.agent, seed):
            raise ArenaError(
                f"the run {run.tag} is of the agent {facts.agent} with seed {facts.seed}, not of {options.agent} with "
                f"{seed}. Choose another --tag."
            )
        runs.append(run)
    return runs


def jitter(options: argparse.Namespace, seed: int, families: tuple[str, ...]) -> dict[str, Any]:
    """
    Returns how a seed's run begins differently from the others, besides its random numbers; the same at every start.

    Consecutive seeds begin with one family after the other; their temperatures lie as far apart as possible. A brief in
    words of several lines gets another order.
    """
    overrides: dict[str, Any] = {}
    if options.agent in ("genetic", "random"):
        overrides["first"] = families[(seed - 1) % len(families)]
    if options.agent == "llm":
        low, high = TEMPERATURES
        overrides["temperature"] = round(low + (high - low) * (seed * GOLDEN % 1), 2)
    words = "" if os.path.isfile(options.brief) else options.brief
    parts = [part.strip() for part in re.split(r"\n|;\s", words) if part.strip()]
    if registry.AGENTS[options.agent].reads and len(parts) > 1:
        overrides["brief"] = "\n".join(parts[k] for k in np.random.default_rng(seed).permutation(len(parts)))
    return overrides


def play(arena: Settings, runs: list[Planned], options: argparse.Namespace, say: Say) -> tuple[bool, list[str]]:
    """
    Plays every run until it has `options.rounds` rounds, or ends otherwise. A run that fails stops no other.

    Returns whether a person interrupted it, and the tags of failed runs. A second Ctrl-C ends all at once and raises
    KeyboardInterrupt.
    """
    jobs = max(options.jobs or os.cpu_count() or 1, 1)
    wide = max(len(str(run.seed)) for run in runs) + 1
    say_by_tag = {run.tag: _prefixed(say, f"s{run.seed}".rjust(wide)) for run in runs}
    say(
        f"{len(runs)} runs of {options.agent}, {min(jobs, len(runs))} at a time, {options.rounds} rounds "
        f"each{_beside(arena, options, len(runs))}"
    )
    waiting = deque(_unfinished(runs, options, say_by_tag))
    running: list[Running] = []
    failed: list[str] = []
    with Interruption() as interruption:
        try:
            began = time.monotonic()
            while waiting or running:
                if interruption.asked:
                    waiting.clear()
                    for process in running:
                        process.release()
                while len(running) < jobs and (run := _next(waiting, time.monotonic() - began)):
                    running.append(Running(run, _words(run, options), arena.root, say_by_tag[run.tag]))
                for process, code in [(each, code) for each in running if (code := each.outcome()) is not None]:
                    running.remove(process)
                    failed += _ended(process.run, code, interruption.asked, say_by_tag[process.run.tag])
                time.sleep(0.05)
        except BaseException:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()
            raise
    return interruption.asked, failed


def _unfinished(runs: list[Planned], options: argparse.Namespace, say_by_tag: dict[str, Say]) -> Iterator[Planned]:
    for run in runs:
        if run.left(options.rounds) is None:
            say_by_tag[run.tag](f"has its {options.rounds} rounds")
        else:
            yield run


def _next(waiting: deque[Planned], waited: float) -> Planned | None:
    """
    Returns the first run that no other process plays. After FREE_S it returns a busy one too, which reports that
    itself.
    """
    for run in waiting:
        if waited > FREE_S or run.free():
            waiting.remove(run)
            return run
    return None


def _words(run: Planned, options: argparse.Namespace) -> list[str]:
    """Returns the command line of a run: the sweep's options and its own."""
    shared_options = {
        name: value for name, value in vars(options).items() if name not in OWN and value not in (None, "", False)
    } | run.begins
    run_options = {"tag": run.tag, "seed": run.seed, "rounds": run.left(options.rounds) or 0}
    words = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in (shared_options | run_options).items()
    ]
    return [sys.executable, str(DRIVE), "--tether", *words]


def _ended(run: Planned, code: int, asked: bool, say: Say) -> list[str]:
    """Returns the run's tag if it failed. A run that was interrupted but not asked to end got a signal of its own."""
    if code == 0 or (code == 130 and asked):
        return []
    say(
        f"killed by {signal.Signals(-code).name}"
        if code < 0
        else "interrupted"
        if code == 130
        else f"failed, exit code {code}"
    )
    return [run.tag]


def _beside(arena: Settings, options: argparse.Namespace, n: int) -> str:
    """Returns what a person should know before so many runs begin."""
    notes = []
    if options.max_usd is not None:
        notes.append(f"up to {n} × {options.max_usd:.2f} USD")
    if options.max_tokens is not None:
        notes.append(f"up to {n} × {options.max_tokens} tokens")
    if arena.compute.backend == "dask":
        notes.append(f"evaluations on dask's workers at {arena.compute.address}, runs and ledger here")
    return "".join(f"; {text}" for text in notes)


def _prefixed(say: Say, prefix: str) -> Say:
    def say_line(line: str) -> None:
        with _saying:
            say(f"{prefix}  {line}")

    return say_line


def _families(arena: Settings, options: argparse.Namespace) -> tuple[str, ...]:
    from loop.agents.genome.grammar import Grammar

    return Grammar(arena, registry.bounds(options)).families
