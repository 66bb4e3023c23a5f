"""
The interface between the loop and an agent: one Protocol, and the records that they exchange.

An agent gets a State and returns a Proposal. It touches neither git nor results.tsv nor the ledger: the loop does, and
it decides what is kept by program.md's rules, the same for every agent.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from arena.records import Result
from arena.settings import Settings


@dataclass(frozen=True, slots=True)
class Tried:
    """One strategy as a round evaluated it."""

    round: int
    event: str  # create, evolve, fork, stable or kill
    strategy: str
    parent: str  # of a fork; otherwise empty
    source: str
    result: Result | None  # None for a kill
    kept: bool
    note: str


@dataclass(frozen=True, slots=True)
class State:
    """All that an agent may know before a round."""

    settings: Settings
    round: int  # from 1: the round to propose
    active: dict[str, str]  # name -> source in the folder now, as the last kept commit left it
    history: tuple[Tried, ...]  # everything that this run has tried, oldest first
    blocks: str  # what run.py would have printed in the last round; empty before the first
    rows: str  # results.tsv as it stands
    demands: tuple[str, ...]  # what program.md's rules ask of this round, a line each
    learnings: str  # learnings.md
    nudges: tuple[str, ...]  # new lines of nudges.md, each shown until a note has taken it up
    brief: str  # what the person wants, as text; empty for none
    plateau: bool  # five rounds without a kept gain: another family is asked for
    problems: tuple[str, ...] = ()  # why the last answer to this very state was refused; the agent is asked again
    population: tuple[Tried, ...] = ()  # the best so far by evidence, best first, active or not


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one strategy."""

    event: str  # create, evolve, fork or kill; strategies without a change are stable
    strategy: str  # for a fork, the child
    source: str = ""  # whole file; empty for a kill
    parent: str = ""  # of a fork
    note: str = ""  # hypothesis -> expected; one line


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost. Zero for agents that call no model."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0  # nan: the price is unknown

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.usd + other.usd,
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """An agent's answer. An empty one with `end` says that the agent has no more."""

    changes: tuple[Change, ...] = ()
    learnings: str | None = None  # new text of learnings.md; None: unchanged
    usage: Usage = Usage()
    # JSON that reproduces the answer: prompt, response, seed, versions
    record: dict[str, Any] = field(default_factory=dict)
    end: str = ""  # why there will be no further proposal


class Agent(Protocol):
    """Proposes changes."""

    name: str  # as a leaderboard names it, for example "genetic" or "llm:qwen3:8b"

    def propose(self, state: State) -> Proposal:
        """
        Returns the next round's changes. Raises AgentError if no answer is usable; the loop then skips and reports the
        round.
        """
        ...

    def resume(self, history: tuple[Tried, ...], rng: np.random.Generator) -> None:
        """
        Called once per start, before the first proposal. `history` is what earlier starts of the same run have tried;
        empty for a new run. `rng` is the same at every start of a run: an agent whose random numbers follow from it,
        the history and the round proposes the same after a crash.
        """
        ...


class AgentError(Exception):
    """
    An agent gave no usable answer: its program failed, its endpoint does not answer, its text holds no strategy.

    `usage` and `record` hold what the answer cost all the same, as in a Proposal. `final`: no later round would do
    better, for example after a refused key.
    """

    def __init__(
        self, message: str, *, usage: Usage = Usage(), record: dict[str, Any] | None = None, final: bool = False
    ) -> None:
        super().__init__(message)
        self.usage, self.record, self.final = usage, record or {}, final
