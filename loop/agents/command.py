"""
An agent that is any program: started anew each round in the run's worktree, with a prompt, a time limit and no memory
but files.

Its changes to user_data/strategies and learnings.md are its proposal. Everything else is undone and reported: other
files, its own commits and branches, results.tsv. Not covered: the program is not in the sandbox. This module does not
see what it does outside the worktree or to files that git ignores; give it permissions that keep it inside.
"""

import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from arena.errors import ArenaError, LoadError
from arena.files import write_whole
from arena.ledger import strategy_files
from loop import memory
from loop.agents import child_guard
from loop.best_so_far import told
from loop.protocol import AgentError, Change, Proposal, State, Tried, Usage
from loop.worktree import LEARNINGS, RESULTS, WORKTREES, Worktree

PLACE = "{prompt}"
SHOWN = 12_000
"""Most characters of the last round's blocks, and of the program's output in the log, from their ends."""

PROMPT = """\
You are the researcher of one round in the repository Touchstone. Read program.md; its sections 3, 5, 7, 8 and 9 hold for you. The loop
around you does the rest: it commits, evaluates, writes results.tsv and keeps or discards, so run no git command and no run.py.

Do this once, then end: form ONE hypothesis, and change, create or delete at most a few strategies in user_data/strategies/ (whole files,
one class each, at most {most} files in all). Say why in note.txt in the current folder, one line a strategy: `Name: hypothesis -> what
will move` (`Child: fork of Parent: …` for a changed copy). Rewrite learnings.md when you learned something. Touch nothing else.

Round {round}. Active: {active}
The rules ask: {demands}
{extra}
results.tsv:
{rows}

learnings.md:
{learnings}

The last round's blocks:
{blocks}
{best}"""


class Command:
    """
    `words` is a command line; the prompt replaces {prompt} in it, or is its standard input. After `seconds` the program
    and all that it started are killed. Raises ArenaError if there is no such program.
    """

    def __init__(self, words: str, worktree: Worktree, seconds: float) -> None:
        try:
            self.words = shlex.split(words)
        except ValueError as error:
            raise ArenaError(f"--command {words!r} is no command line: {error}.") from None
        if not self.words or shutil.which(self.words[0]) is None:
            raise ArenaError(f"--command {words!r}: there is no program {self.words[0] if self.words else ''!r} here.")
        self.name, self.worktree, self.seconds = f"command:{Path(self.words[0]).name}", worktree, seconds

    def resume(self, history: tuple[Tried, ...], rng: np.random.Generator) -> None:
        """Does nothing: every round begins without memory."""

    def propose(self, state: State) -> Proposal:
        folder, head = self.worktree.folder, self.worktree.head()
        rows = strategy_files.content(folder / RESULTS)
        self._lay_out(state)
        prompt = prompt_of(state)
        try:
            code, printed, late = self._run(prompt)
            notes = _notes(folder / "note.txt")
            changes, undone = (
                _changes(folder, state, notes),
                [path for path in self.worktree.changed(head) if path != "note.txt"],
            )
            learnings = strategy_files.content(folder / LEARNINGS).decode(errors="replace")
            undone += [RESULTS] if strategy_files.content(folder / RESULTS) != rows else []
            undone += ["commits of its own"] if self.worktree.head() != head else []
        finally:
            self.worktree.settle(head)
            write_whole(folder / RESULTS, rows)
            write_whole(folder / LEARNINGS, state.learnings.encode())  # the round writes it at its end
        record = {"prompt": prompt, "response": printed, "command": self.words, "exit": code, "undone": undone}
        usage = usage_of(printed)
        if not changes:
            why = (
                f"did not end within {self.seconds:g} s"
                if late
                else f"ended with exit code {code} and changed no strategy"
            )
            raise AgentError(
                f"{self.words[0]} {why}: {' '.join(printed.split())[-200:] or 'it printed nothing'}",
                usage=usage,
                record=record,
            )
        return Proposal(changes, learnings if learnings != state.learnings else None, usage, record)

    def _lay_out(self, state: State) -> None:
        """
        Writes the folder as the state has it: undoes a worse change in the last kept commit before the program sees it.
        """
        folder = self.worktree.folder / strategy_files.FOLDER
        for file in folder.glob("[!_]*.py"):
            if file.stem not in state.active:
                file.unlink()
        for name, source in state.active.items():
            if strategy_files.content(folder / f"{name}.py") != source.encode():
                write_whole(folder / f"{name}.py", source.encode())

    def _run(self, prompt: str) -> tuple[int, str, bool]:
        """Returns the exit code, the output, and whether time was up."""
        words = [word.replace(PLACE, prompt) for word in self.words]
        input_text = "" if words != self.words else prompt
        environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(self.worktree.root / WORKTREES)}
        with tempfile.TemporaryDirectory(prefix="touchstone-") as place:
            Path(place, "prompt").write_text(input_text, encoding="utf-8", errors="replace")
            with Path(place, "printed").open("w+b") as out:
                process = subprocess.Popen(
                    [sys.executable, "-I", child_guard.__file__, str(Path(place, "prompt")), *words],
                    cwd=self.worktree.folder, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT,
                    env=environment, start_new_session=True,
                )  # fmt: skip
                assert process.stdin is not None
                late = False
                try:
                    process.wait(self.seconds)
                except subprocess.TimeoutExpired:
                    late = True
                finally:
                    process.stdin.close()  # cuts the tether: the rest of the program's group is killed
                    try:
                        process.wait(10)
                    except subprocess.TimeoutExpired:
                        os.killpg(process.pid, signal.SIGKILL)
                        process.wait()
                out.seek(0)
                return process.returncode, out.read().decode(errors="replace")[-SHOWN:], late


def prompt_of(state: State) -> str:
    extra = [f"Take up this idea of the person's: {line}" for line in state.nudges]
    extra += [f"What the person wants:\n{state.brief}"] if state.brief else []
    extra += (
        ["Plateau: five rounds without a kept gain. Kill one strategy and create one of another paradigm."]
        if state.plateau
        else []
    )
    extra += [f"Your last answer: {line}" for line in state.problems]
    if over := memory.oversize(state.learnings):
        extra.append(
            f"learnings.md is too long ({over}): rewrite it shorter in this round. Merge, correct, delete; keep what "
            f"holds."
        )
    best = (
        f"\nThe best so far, by evidence, active or not:\n\n{told(state.population, state.active)}\n"
        if state.population
        else ""
    )
    return PROMPT.format(
        most=state.settings.max_strategies, round=state.round, active=", ".join(state.active) or "none",
        demands="; ".join(state.demands), extra="\n".join(extra), rows="\n".join(state.rows.splitlines()[-30:]),
        learnings=state.learnings, blocks=state.blocks[-SHOWN:], best=best,
    )  # fmt: skip


def _changes(folder: Path, state: State, notes: dict[str, tuple[str, str]]) -> tuple[Change, ...]:
    """Returns the changes in the strategies' files, whatever the program did in git."""
    source_by_name = {}
    for file in sorted((folder / strategy_files.FOLDER).glob("[!_]*.py")):
        try:
            source_by_name[file.stem] = strategy_files.read(file).decode(errors="replace")
        except LoadError as error:  # a link, a pipe, a huge file
            raise AgentError(f"the program left no strategy: {error}") from None
    changes = []
    for name in sorted(source_by_name.keys() | state.active.keys()):
        parent, note = notes.get(name, ("", ""))
        if name not in source_by_name:
            changes.append(Change("kill", name, note=note))
        elif name not in state.active:
            fork = parent in state.active
            changes.append(
                Change("fork" if fork else "create", name, source_by_name[name], parent if fork else "", note)
            )
        elif source_by_name[name] != state.active[name]:
            changes.append(Change("evolve", name, source_by_name[name], note=note))
    return tuple(changes)


def _notes(file: Path) -> dict[str, tuple[str, str]]:
    """Returns parent and note by strategy, from lines `Name: note` or `Child: fork of Parent: note`."""
    note_by_name = {}
    for line in strategy_files.content(file).decode(errors="replace").splitlines():
        name, _, note = (part.strip() for part in line.lstrip("-* ").partition(":"))
        parent = ""
        if note.startswith("fork of "):
            parent, _, note = (part.strip() for part in note.removeprefix("fork of ").partition(":"))
        note_by_name[name.strip("`")] = (parent.strip("`"), note)
    return note_by_name


def usage_of(printed: str) -> Usage:
    """
    Reads tokens and price from the JSON lines that some programs print (`total_cost_usd`, `usage` with `input_tokens`
    and `output_tokens`; the last of each counts). Without them, tokens are 0 and the price is nan: unknown.
    """
    report: dict[str, Any] = {}
    for line in printed.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            report |= {key: value[key] for key in ("total_cost_usd", "usage") if key in value}
    tokens = usage if isinstance(usage := report.get("usage"), dict) else {}
    count = {
        key: value if isinstance(value := tokens.get(key), int) and value > 0 else 0
        for key in ("input_tokens", "output_tokens")
    }
    usd = report.get("total_cost_usd")
    price = float(usd) if isinstance(usd, int | float) and math.isfinite(usd) and usd >= 0 else math.nan
    return Usage(1, count["input_tokens"], count["output_tokens"], price)
