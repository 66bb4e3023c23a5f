"""
The agents that drive.py knows, by name. Their modules load on demand, because each needs libraries that others do not.
"""

import argparse
import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.errors import ArenaError
from loop.agents.genome.grammar import Bounds
from loop.protocol import Agent
from loop.worktree import Worktree


@dataclass(frozen=True, slots=True)
class Entry:
    module: str
    make: Callable[[Any, argparse.Namespace, Worktree], Agent]  # from the module, the options and the run's worktree
    reads: bool  # whether it can take up a nudge or a brief
    breeds: bool = False  # whether it draws from a grammar, which a brief bounds: `options.bounds`


def _endpoint(options: argparse.Namespace) -> Any:
    return importlib.import_module("loop.agents.llm.providers").client(
        options.provider, options.model, os.environ, options.context
    )


def bounds(options: argparse.Namespace) -> Bounds:
    """Returns the grammar's bounds from a brief, if one was read."""
    return getattr(options, "bounds", None) or Bounds()


def _language_model(module: Any, options: argparse.Namespace) -> Agent:
    return module.LanguageModel(_endpoint(options), temperature=options.temperature, seed=options.seed)


AGENTS = {
    "genetic": Entry(
        "loop.agents.genetic",
        lambda module, options, worktree: module.Genetic(bounds(options), options.first),
        reads=False,
        breeds=True,
    ),
    "random": Entry(
        "loop.agents.genetic",
        lambda module, options, worktree: module.Random(bounds(options), options.first),
        reads=False,
        breeds=True,
    ),
    "llm": Entry(
        "loop.agents.llm.agent", lambda module, options, worktree: _language_model(module, options), reads=True
    ),
    "command": Entry(
        "loop.agents.command",
        lambda module, options, worktree: module.Command(options.command, worktree, 60 * options.answer_minutes),
        reads=True,
    ),
    "replay": Entry(
        "loop.agents.replay", lambda module, options, worktree: module.Replay(Path(options.transcript)), reads=False
    ),
}
NEEDS = {"llm": "model", "command": "command", "replay": "transcript"}
"""The option that an agent requires."""


def agent(name: str, options: argparse.Namespace, worktree: Worktree) -> Agent:
    """Creates an agent. Raises ArenaError if a package or an option that it needs is missing."""
    entry, needed = AGENTS[name], NEEDS.get(name)
    if needed and not getattr(options, needed):
        raise ArenaError(f"the agent {name} needs --{needed}. `uv run drive.py --help` gives an example.")
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        group = " --group llm" if name == "llm" else ""
        raise ArenaError(f"the agent {name} needs the package {error.name}. Run `uv sync{group}`.") from None
    return entry.make(module, options, worktree)
