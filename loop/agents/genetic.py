"""
Agents that call no model: strategies bred from earlier trials, and random strategies, from the same grammar.

The population is the history of the run. It is ranked as in NSGA-II (Deb et al. 2002, doi:10.1109/4235.996017): trials
that fail fewer gates, and by less, come first; then those that fewer others dominate in the Sharpe of the worst window
and that of the whole search range; then those that stand more apart. The first trials are random, each family equally
often. From then on a tournament draws parents from the best, and a child is a mutation, has two parents, or has a part
less. It becomes the next step of a strategy of its family, or else replaces the last in rank; the first in rank is
never killed. On a plateau one place goes to a family that was tried least. The loop decides what is kept.

A proposal follows from the seed, the history and the state alone, so that an interrupted run goes on as it would have.
"""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from deap import base
from deap.tools import emo

from arena.records import GateResult, Result
from arena.settings import Settings
from arena.stats.gates import EVIDENCE
from loop.agents.genome.grammar import Bounds, Genome, GenomeError, Grammar, one_of
from loop.agents.genome.variation import cross, difference, mutate, simpler
from loop.agents.genome.writing import genome_of, in_words, source
from loop.protocol import AgentError, Change, Proposal, State, Tried

POOL = 6
"""How many of the population's best may be parents."""
FOUNDERS = 3
"""Random trials of each family before breeding begins."""
DRAWN = 3
"""Trials that a tournament draws; the best of them wins."""
CROSSED, SIMPLIFIED = 0.2, 0.1
"""Probability that a child has two parents, and that it is its parent with a part less; else it is a mutation."""
NEWCOMERS = 0.05
"""Probability that a place open to breeding goes to a random strategy."""
STRANGER = "it is no genome of this grammar, so it cannot be changed here; room for one that can"
PLATEAU, REST = "plateau: ", 5
"""Beginning of the note of a strategy that a plateau asked for, and the rounds until a plateau may ask for another."""
ATTEMPTS = 50
"""Children that are drawn until one is new; after that, a random strategy."""


class Fitness(base.Fitness):
    """The Sharpe of the worst window and that of the search range; more is better."""

    weights = (1.0, 1.0)


@dataclass(frozen=True)
class Member:
    """One trial with a genome and figures."""

    genome: Genome
    strategy: str
    violation: float  # by how much it fails gates; 0 for none
    fitness: Fitness


class _Breeder:
    """
    Common to both agents: a seed, bounds of the grammar, the requested first family if any, and genomes read before.
    """

    name = ""

    def __init__(self, bounds: Bounds = Bounds(), first: str = "") -> None:
        """`first`: family of the run's first strategy; empty: random."""
        self._seed, self._bounds, self._first = 0, bounds, first
        self._reader: _Reader | None = None

    def resume(self, history: tuple[Tried, ...], rng: np.random.Generator) -> None:
        """Draws the seed of all proposals from the generator; every state brings the history."""
        self._seed = int(rng.integers(2**63))

    def _round(self, state: State) -> "_Round":
        """The random numbers are the same for the same round, and different after a refused answer to it."""
        if self._reader is None or self._reader.settings is not state.settings:
            self._reader = _Reader(state.settings, self._bounds)
            if self._first and self._first not in (families := self._reader.grammar.families):
                raise AgentError(
                    f"there is no family {self._first!r} to begin with. There are: {', '.join(families)}.", final=True
                )
        again = zlib.crc32("\n".join(state.problems).encode())
        return _Round(state, self._reader, np.random.default_rng([self._seed, state.round, again]), self._first)

    def _proposal(self, state: State, round_: "_Round", changes: list[Change]) -> Proposal:
        record = {
            "agent": self.name,
            "seed": self._seed,
            "first": self._first,
            "round": state.round,
            "population": len(round_.population),
        }
        return Proposal(tuple(changes), record=record)


class Genetic(_Breeder):
    """Breeds from earlier trials. An `Agent`."""

    name = "genetic"

    def propose(self, state: State) -> Proposal:
        """Returns a change for every strategy that this grammar can read, and new ones up to the cap."""
        round_ = self._round(state)
        return self._proposal(state, round_, round_.changes())


class Random(_Breeder):
    """Draws from the same grammar and ignores all results: the baseline for breeding. An `Agent`."""

    name = "random"

    def propose(self, state: State) -> Proposal:
        """Replaces every strategy by another random one, and adds new ones up to the cap."""
        round_ = self._round(state)
        strangers = round_.strangers()
        changes = [Change("kill", name, note=STRANGER) for name in strangers]
        changes += [round_.change("evolve", name, round_.unseen()) for name in round_.lines]
        free = round_.cap - len(state.active) + len(strangers)
        changes += [
            round_.change("create", round_.named("Random"), round_.unseen(round_.begins_with())) for _ in range(free)
        ]
        return self._proposal(state, round_, changes)


class _Reader:
    """Reads genomes of sources, by an arena's grammar. It keeps them, because every round reads the history again."""

    def __init__(self, settings: Settings, bounds: Bounds) -> None:
        self.settings, self.grammar = settings, Grammar(settings, bounds)
        self._known: dict[str, Genome | None] = {"": None}  # a kill has no source

    def __call__(self, text: str) -> Genome | None:
        """Returns None if the text holds no genome of this grammar."""
        if text not in self._known:
            try:
                self._known[text] = genome = genome_of(text)
                self.grammar.check(genome)
            except GenomeError:
                self._known[text] = None
        return self._known[text]


def population(trials: Sequence[tuple[Tried, Genome]]) -> list[Member]:
    """
    Returns trials with figures, best first, each genome once. Failed trials and undefined Sharpe ratios have no
    fitness.
    """
    member_by_genome: dict[Genome, Member] = {}
    for tried, genome in trials:
        if tried.result is None or tried.result.error:
            continue
        figures = (tried.result.robust_sharpe, tried.result.own.sharpe)
        if np.isfinite(figures).all():
            member_by_genome.setdefault(
                genome, Member(genome, tried.strategy, violation(tried.result), Fitness(figures))
            )
    ranked: list[Member] = []
    for _, equals in groupby(sorted(member_by_genome.values(), key=lambda m: m.violation), key=lambda m: m.violation):
        members = list(equals)
        for front in emo.sortLogNondominated(members, len(members)):
            emo.assignCrowdingDist(front)
            ranked += sorted(front, key=lambda m: m.fitness.crowding_dist, reverse=True)
    return ranked


def violation(result: Result) -> float:
    """Returns the sum of the failed gates' shortfalls, without those that only say whether it is luck."""
    return sum(
        _shortfall(gate) for gate in result.gates if gate.applies and not gate.passed and gate.gate not in EVIDENCE
    )


def _shortfall(gate: GateResult) -> float:
    """
    Returns by how much a gate is failed, above 0 and at most 1: as a fraction of its limit, or of 1 where that is 0.
    Returns 1 if there is no figure.
    """
    short = abs(gate.figure - gate.limit) / (abs(gate.limit) or 1.0)
    return 1.0 if not gate.relation or not np.isfinite(short) else float(np.clip(short, 1e-9, 1.0))


class _Round:
    """One round's population, and what is drawn from it."""

    def __init__(self, state: State, read: _Reader, rng: np.random.Generator, first: str) -> None:
        self.state, self.rng, self._first = state, rng, first
        self.grammar = read.grammar
        self.cap = self.grammar.bounds.max_strategies or state.settings.max_strategies
        trials = [(trial, genome) for trial in state.history if (genome := read(trial.source))]
        self.population = population(trials)
        self.places = {member.genome: place for place, member in enumerate(self.population)}
        self.lines = {name: genome for name, text in state.active.items() if (genome := read(text))}
        """Strategies of the folder that are genomes of this grammar."""
        tried = dict.fromkeys(genome for _, genome in trials)
        self.families = Counter(genome.family for genome in tried)
        self.seen = {*tried, *self.lines.values()}
        self._names = " ".join([*state.active, *(trial.strategy for trial in state.history), state.rows])
        self._waiting = sorted(self.lines, key=self._place_of_line)  # best first: lines that have no change yet

    def changes(self) -> list[Change]:
        """Returns one change per line, and new strategies up to the cap."""
        strangers = self.strangers()
        changes = [Change("kill", name, note=STRANGER) for name in strangers]
        founding = len(self.seen) < FOUNDERS * len(self.grammar.families)
        first = self._waiting.pop(0) if self._waiting and self.cap > 1 else ""
        if first:
            changes.append(self._next_of(first))
        for k in range(self.cap - len(self.state.active) + len(strangers) + len(self._waiting)):
            if k == 0 and self._owes_another_family():
                changes += self._newcomer(changes, PLATEAU)
            elif founding or not self.population or self.rng.random() < NEWCOMERS:
                changes += self._newcomer(changes)
            else:
                changes += self._bred(first, changes)
        return changes

    def strangers(self) -> tuple[str, ...]:
        """
        Returns strategies without a genome that must go: the rules demand a change of them, or they fill all places.
        """
        unread = [name for name in self.state.active if name not in self.lines]
        stale = [name for name in unread if any(line.startswith(f"{name}:") for line in self.state.demands)]
        return tuple(stale or unread[: len(unread) >= self.cap])

    def _owes_another_family(self) -> bool:
        """Whether a plateau asks for another family, and no strategy that it asked for is recent."""
        young = [trial for trial in self.state.history if trial.round >= self.state.round - REST]
        return self.state.plateau and not any(
            trial.event == "create" and trial.note.startswith(PLATEAU) for trial in young
        )

    def change(self, event: str, name: str, genome: Genome, note: str = "", parent: str = "") -> Change:
        """
        Returns the change that writes a genome. Without a note it says that chance drew the genome, and how it enters.
        """
        self.seen.add(genome)
        self.families[genome.family] += 1
        note = note or f"drawn by chance: {in_words(genome.entry[0])}"
        return Change(event, name, source(genome, name, self.state.settings, self.grammar.bounds.pairs), parent, note)

    def unseen(self, family: str = "") -> Genome:
        """Returns a random strategy that was not tried."""
        while (genome := self.grammar.random(self.rng, family)) in self.seen:
            pass
        return genome

    def begins_with(self) -> str:
        """Returns the requested first family until something was tried; empty for any."""
        return "" if self.families else self._first

    def named(self, prefix: str) -> str:
        """Returns the prefix with the next number that no strategy of the run has had."""
        numbers = [int(number) for number in re.findall(rf"\b{prefix}(\d+)\b", self._names)]
        name = f"{prefix}{max(numbers, default=0) + 1}"
        self._names += f" {name}"
        return name

    def _next_of(self, name: str) -> Change:
        """Returns a line's next step: a child of the best of its family, or a new draw if that has no figures."""
        family = self.lines[name].family
        kin = [member for member in self.population[:POOL] if member.genome.family == family]
        if not kin:
            return self.change("evolve", name, self.unseen(family), "no figures so far; drawn again")
        parent = self._winner(kin)
        child, how = self._child(parent.genome)
        return self.change("evolve", name, child, f"{how}; from {self._rank(parent.genome)}")

    def _newcomer(self, changes: list[Change], why: str = "") -> list[Change]:
        """Returns a random strategy of a family that was tried least."""
        fewest = min(self.families[family] for family in self.grammar.families)
        family = self.begins_with() or one_of(
            self.rng, [family for family in self.grammar.families if self.families[family] == fewest]
        )
        genome, name = self.unseen(family), self.named(_camel(family))
        note = f"{why}{family}, tried {fewest} times so far: {in_words(genome.entry[0])}"
        return [*self._room(changes, name), self.change("create", name, genome, note)]

    def _bred(self, first: str, changes: list[Change]) -> list[Change]:
        """
        Returns a child of one of the best, as the next step of a line of its family, or else in place of the last line.
        """
        parent = self._winner(self.population[:POOL])
        child, how = self._child(parent.genome)
        note = f"{how}; from {self._rank(parent.genome)}"
        kin = [name for name in self._waiting if self.lines[name].family == child.family]
        if kin:
            name = parent.strategy if parent.strategy in kin else kin[0]
            self._waiting.remove(name)
            return [self.change("evolve", name, child, note)]
        name = self.named(_camel(child.family))
        if first and self.lines[first] == parent.genome:
            return [*self._room(changes, name), self.change("fork", name, child, note, parent=first)]
        return [*self._room(changes, name), self.change("create", name, child, f"{note} ({parent.strategy})")]

    def _room(self, changes: list[Change], name: str) -> list[Change]:
        """
        Returns the kill that makes room for a strategy if no place is free: of the last line that has no change yet.
        """
        alive = len(self.state.active) + sum(
            {"create": 1, "fork": 1, "kill": -1}.get(change.event, 0) for change in changes
        )
        if alive < self.cap:
            return []
        last = self._waiting.pop()
        return [Change("kill", last, note=f"{self._rank(self.lines[last])}; room for {name}")]

    def _child(self, parent: Genome) -> tuple[Genome, str]:
        """Returns a child that was not tried, and what was done, in words."""
        for _ in range(ATTEMPTS):
            draw, how = self.rng.random(), ""
            if draw < SIMPLIFIED:
                child = one_of(self.rng, simpler(parent) or (parent,))
            elif draw < SIMPLIFIED + CROSSED:
                mate = self._winner(self.population[:POOL])
                child, how = cross(parent, mate.genome, self.rng), f", as {self._rank(mate.genome)} has it"
            else:
                child = mutate(parent, self.grammar, self.rng)
            if child not in self.seen and self.grammar.has(child):
                return child, difference(parent, child) + how
        return self.unseen(parent.family), "all near it were tried: drawn again"

    def _winner(self, members: Sequence[Member]) -> Member:
        """Tournament: returns the best of a few drawn. `members` are in the population's order."""
        return members[min(int(self.rng.integers(len(members))) for _ in range(DRAWN))]

    def _place_of_line(self, name: str) -> int:
        return self.places.get(self.lines[name], len(self.population))

    def _rank(self, genome: Genome) -> str:
        n = len(self.population)
        place = self.places.get(genome, n)
        if place == n:
            return "without figures"
        return f"the {('', 'second ', 'third ')[place]}best of {n}" if place < 3 else f"number {place + 1} of {n}"


def _camel(family: str) -> str:
    return "".join(word.capitalize() for word in family.split())
