"""
Turns a genome into another: changes a gene or two, mixes two genomes, removes a part. And says in words what differs.

The first condition keeps its family, so that a strategy's name stays true.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from loop.agents.genome.catalogue import Gene
from loop.agents.genome.grammar import MAX_CONDITIONS, SCALARS, Condition, Genome, Grammar, normal, one_of

SECOND_CHANGE = 0.3
"""Probability that a mutation changes two genes instead of one."""
NEIGHBOUR = 0.7
"""Probability that a value in an ordered row moves by one place instead of to any place."""
WHOLE_CONDITION = 0.25
"""Probability that a change removes, adds or exchanges a whole condition."""
FROM_SECOND = 0.25
"""
Probability that a child takes a condition, a gene or a group of genes from the second parent. A higher one would leave
little of the first.
"""
LINKED = (
    ("join",), ("fresh",), ("exit", "exit_condition"), ("hold",), ("stop",), ("profit", "steps", "pace"),
    ("trailing", "reach"), ("sizing", "share"),
)  # fmt: skip
"""Genes that a child takes from one parent together, because they depend on each other."""


def mutate(genome: Genome, grammar: Grammar, rng: np.random.Generator) -> Genome:
    """Changes one gene, or two; never returns the genome itself."""
    changed, twice = genome, rng.random() < SECOND_CHANGE
    while changed == genome or twice:
        twice = twice and changed == genome
        changed = _changed(changed, grammar, rng)
    return changed


def cross(first: Genome, second: Genome, rng: np.random.Generator) -> Genome:
    """
    Returns a child of two, mostly like the first: it has the first one's first condition, with genes of the second if
    both have that rule; other conditions and groups of genes are from either. It can equal one of its parents.
    """
    others = {condition.rule: condition for condition in reversed(second.entry)}
    lead = _mixed(first.entry[0], others.get(first.entry[0].rule), rng)
    kept = [condition for condition in first.entry[1:] if rng.random() >= FROM_SECOND]
    kept += [condition for condition in second.entry if rng.random() < FROM_SECOND]
    chosen: dict[str, Any] = {}
    for group in LINKED:
        parent = second if rng.random() < FROM_SECOND else first
        chosen |= {name: getattr(parent, name) for name in group}
    return normal(replace(first, entry=(lead, *kept)[:MAX_CONDITIONS], **chosen))


def simpler(genome: Genome) -> tuple[Genome, ...]:
    """Returns the genome with one part less, each part in turn; empty when nothing can go."""
    less = [replace(genome, entry=genome.entry[:k] + genome.entry[k + 1 :]) for k in range(1, len(genome.entry))]
    if genome.exit != "none":
        less.append(replace(genome, exit="none"))
    plain = {name: SCALARS[name][0] for name in ("hold", "profit", "steps", "trailing", "sizing", "fresh")}
    less += [_set(genome, name, value) for name, value in plain.items() if getattr(genome, name) != value]
    return tuple(dict.fromkeys(candidate for candidate in map(normal, less) if parts(candidate) < parts(genome)))


def parts(genome: Genome) -> int:
    """Counts what there is to explain: conditions, exits besides the stop, and deviations from the plainest form."""
    ways = (genome.exit != "none", genome.hold, genome.profit, genome.trailing, genome.sizing != "full", genome.fresh)
    return len(genome.entry) + sum(map(bool, ways)) + genome.steps - 1


def difference(before: Genome, after: Genome) -> str:
    """Returns what was changed, in words: `stop 0.1 -> 0.07, without calm`."""
    phrases = list(_conditions(before.entry, after.entry))
    for name in SCALARS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new and name not in _idle(after):
            phrases.append(f"{name} {_said(old)} -> {_said(new)}")
    phrases += _conditions(_listed(before.exit_condition), _listed(after.exit_condition), "exit ")
    return ", ".join(phrases) or "nothing"


def _changed(genome: Genome, grammar: Grammar, rng: np.random.Generator) -> Genome:
    """
    Takes one random step: changes a scalar gene, a gene of a condition, or a whole condition. May return the same
    strategy.
    """
    if rng.random() < WHOLE_CONDITION:
        return normal(_restructured(genome, grammar, rng))
    at = int(rng.integers(len(SCALARS) + len(genome.conditions)))
    if at < len(SCALARS):
        name = tuple(SCALARS)[at]
        changed = _set(genome, name, _another(getattr(genome, name), SCALARS[name], rng))
        if changed.exit == "signal" and changed.exit_condition is None:
            changed = replace(changed, exit_condition=grammar.condition(rng))
        return normal(changed)
    at -= len(SCALARS)
    return normal(_with(genome, at, _tuned(genome.conditions[at], grammar, rng)))


def _restructured(genome: Genome, grammar: Grammar, rng: np.random.Generator) -> Genome:
    """Adds, removes or exchanges a condition."""
    entry, move = genome.entry, one_of(rng, ("add", "drop", "exchange"))
    if move == "add" and len(entry) < MAX_CONDITIONS:
        return replace(genome, entry=(*entry, grammar.condition(rng)))
    if move == "drop" and len(entry) > 1:
        dropped = int(rng.integers(1, len(entry)))
        return replace(genome, entry=entry[:dropped] + entry[dropped + 1 :])
    at = int(rng.integers(len(genome.conditions)))
    return _with(genome, at, grammar.condition(rng, grammar.of_family(genome.family) if at == 0 else ()))


def _set(genome: Genome, name: str, value: Gene) -> Genome:
    """Another value of one of SCALARS."""
    changed: dict[str, Any] = {name: value}
    return replace(genome, **changed)


def _with(genome: Genome, at: int, condition: Condition) -> Genome:
    """Replaces the condition at a place of `genome.conditions`."""
    if at == len(genome.entry):
        return replace(genome, exit_condition=condition)
    return replace(genome, entry=(*genome.entry[:at], condition, *genome.entry[at + 1 :]))


def _tuned(condition: Condition, grammar: Grammar, rng: np.random.Generator) -> Condition:
    """Changes one gene of a condition, or its timeframe."""
    rows = {name: values for name, values in grammar.genes(condition.rule).items() if len(values) > 1}
    frames, values = grammar.frames(condition.rule), condition.values
    name = one_of(rng, (*rows, *(["timeframe"] if len(frames) > 1 else [])))
    if name == "timeframe":
        return replace(condition, timeframe=str(_another(condition.timeframe, frames, rng)))
    values[name] = _another(values[name], rows[name], rng)
    return replace(condition, genes=tuple(values.items()))


def _another(value: Gene, row: tuple[Gene, ...], rng: np.random.Generator) -> Gene:
    """Returns another value of the row, mostly a neighbour; names have no neighbours."""
    at = row.index(value)
    if isinstance(value, str) or rng.random() >= NEIGHBOUR:
        return one_of(rng, row[:at] + row[at + 1 :])
    return one_of(rng, row[max(at - 1, 0) : at] + row[at + 1 : at + 2])


def _mixed(condition: Condition, other: Condition | None, rng: np.random.Generator) -> Condition:
    """Returns the condition with each gene from either; unchanged without a second one of the same rule."""
    if other is None:
        return condition
    pairs = zip(condition.genes, other.genes, strict=True)
    genes = tuple(theirs if rng.random() < FROM_SECOND else own for own, theirs in pairs)
    return Condition(condition.rule, other.timeframe if rng.random() < FROM_SECOND else condition.timeframe, genes)


def _idle(genome: Genome) -> set[str]:
    """Returns genes without effect."""
    return {
        *(("steps", "pace") if not genome.profit else ("pace",) if genome.steps == 1 else ()),
        *(() if genome.trailing else ("reach",)),
        *(() if genome.sizing == "share" else ("share",)),
        *(("join",) if len(genome.entry) == 1 else ()),
    }


def _conditions(before: tuple[Condition, ...], after: tuple[Condition, ...], place: str = "") -> Iterator[str]:
    """Yields conditions that went, came or were tuned; one with a twin of the same rule on the other side was tuned."""
    came = [condition for condition in after if condition not in before]
    for old in (condition for condition in before if condition not in after):
        twin = next((new for new in came if new.rule == old.rule), None)
        if twin is None:
            yield f"without {place}{_named(old)}"
            continue
        came.remove(twin)
        moved = [f"{name} {a} -> {b}" for (name, a), (_, b) in zip(old.genes, twin.genes, strict=True) if a != b]
        moved += [f"{old.timeframe} -> {twin.timeframe}"] if old.timeframe != twin.timeframe else []
        yield f"{place}{old.rule} {', '.join(moved)}"
    yield from (f"with {place}{_named(new)}" for new in came)
    if sorted(map(repr, before)) == sorted(map(repr, after)) and before != after:
        yield f"{place}conditions in another order"


def _named(condition: Condition) -> str:
    return " ".join(map(str, (condition.rule, *condition.values.values(), condition.timeframe)))


def _listed(condition: Condition | None) -> tuple[Condition, ...]:
    return (condition,) if condition else ()


def _said(value: Gene) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
