"""
Genomes, and which of them an arena allows.

A genome is a strategy in a few typed genes: conditions that open a position, what ends it, and how much is staked. Its
text is one line of JSON. The grammar of an arena follows from its settings: pairs, timeframe, informative timeframes.
Every genome that it draws can be traded there, and `check` says what is wrong with any other one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from arena.settings import TIMEFRAME_MINUTES, Settings
from loop.agents.genome.catalogue import FAMILIES, RULES, Gene, Rule

MAX_CONDITIONS = 3
SCALARS: Mapping[str, tuple[Gene, ...]] = {
    "join": ("and", "or"),
    "fresh": (False, True),
    "exit": ("none", "opposite", "signal"),
    "hold": (0, 6, 12, 24, 48, 96, 168, 336),
    "stop": (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3),
    "profit": (0.0, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.4),
    "steps": (1, 2, 3),
    "pace": (6, 12, 24, 48),
    "trailing": (0.0, 0.02, 0.03, 0.05, 0.08, 0.12),
    "reach": (1.5, 2.0, 3.0),
    "sizing": ("full", "share", "volatility"),
    "share": (0.25, 0.5, 0.75),
}
"""Genes that every genome has, and their allowed values, in order."""
OPTIONAL = ("hold", "profit", "trailing")
"""Genes that are absent in half of the draws: each cuts what a signal would earn, and is one more part to explain."""
HOLD_WITHOUT_EXIT = 48
"""Candles after which a position ends that otherwise only its stop would end."""


@dataclass(frozen=True, slots=True)
class Need:
    """A required condition: of one of these rules, on one of these timeframes (empty: on any)."""

    rules: tuple[str, ...]
    timeframes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a person leaves of an arena's grammar. Empty: all of it."""

    families: tuple[str, ...] = ()
    timeframes: tuple[str, ...] | None = None  # besides the arena's own; None: all of them
    entry: tuple[Need, ...] = ()  # at most MAX_CONDITIONS; all of them hold
    exit: Need | None = None  # of the condition that ends a position
    scalars: tuple[tuple[str, tuple[Gene, ...]], ...] = ()  # gene and the values that are left of SCALARS
    pairs: tuple[str, ...] = ()  # that are traded; empty: all
    max_strategies: int | None = None


class GenomeError(ValueError):
    """A text that is not a genome, or a genome that the arena cannot trade."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One rule of the catalogue with its genes set."""

    rule: str
    timeframe: str
    genes: tuple[tuple[str, Gene], ...]  # in the rule's order

    @property
    def values(self) -> dict[str, Gene]:
        return dict(self.genes)


@dataclass(frozen=True, slots=True)
class Genome:
    """
    A strategy. Ratios are fractions; times are candles of the arena's timeframe. `hold`, `profit` and `trailing` at 0
    are absent.
    """

    entry: tuple[Condition, ...]  # one to MAX_CONDITIONS; the first one gives the family
    join: str  # "and": all conditions, "or": any
    fresh: bool  # enter on the first candle of a signal alone
    # "none"; "opposite": when the first condition is against the position; "signal": when `exit_condition` is
    exit: str
    exit_condition: Condition | None
    hold: int  # longest time in a position
    stop: float  # loss at which it is ended
    profit: float  # profit at which it is taken
    steps: int  # of the profit ladder: every `pace` candles, half of the profit before is enough
    pace: int
    trailing: float  # distance of a trailing stop
    reach: float  # the trailing stop begins at this multiple of the distance
    # "full": what is proposed; "share": a part of it; "volatility": less while the pair moves more than usual
    sizing: str
    share: float

    @property
    def family(self) -> str:
        return RULES[self.entry[0].rule].family

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.entry + ((self.exit_condition,) if self.exit_condition else ())


def to_json(genome: Genome) -> str:
    """Returns one line of JSON."""
    values = {f.name: getattr(genome, f.name) for f in fields(genome)}
    values["entry"] = [_told(condition) for condition in genome.entry]
    values["exit_condition"] = genome.exit_condition and _told(genome.exit_condition)
    return json.dumps(values)


def from_json(text: str) -> Genome:
    """Reads a genome from its text. Raises GenomeError for a wrong shape; `Grammar.check` checks the values."""
    try:
        values = json.loads(text)
        values["entry"] = tuple(_condition(condition) for condition in values["entry"])
        values["exit_condition"] = _condition(values["exit_condition"]) if values["exit_condition"] else None
        genome = Genome(**values)
        hash(genome)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise GenomeError(f"no genome: {error}. Expected one line of JSON as `to_json` writes it.") from None
    return genome


def _told(condition: Condition) -> dict[str, Any]:
    return {"rule": condition.rule, "timeframe": condition.timeframe, **condition.values}


def _condition(values: dict[str, Any]) -> Condition:
    genes = dict(values)
    return Condition(genes.pop("rule"), genes.pop("timeframe"), tuple(genes.items()))


def normal(genome: Genome) -> Genome:
    """
    Returns the same strategy in its one form: genes without effect have their first value, and not only the stop ends
    it.
    """
    entry = tuple(dict.fromkeys(genome.entry))
    idle: dict[str, Any] = {"join": "and"} if len(entry) == 1 else {}
    if genome.exit != "signal":
        idle["exit_condition"] = None
    if not genome.profit:
        idle |= {"steps": SCALARS["steps"][0]}
    if not genome.profit or genome.steps == 1:
        idle |= {"pace": SCALARS["pace"][0]}
    if not genome.trailing:
        idle["reach"] = SCALARS["reach"][0]
    if genome.sizing != "share":
        idle["share"] = SCALARS["share"][0]
    if genome.exit == "none" and not genome.hold:
        idle["hold"] = HOLD_WITHOUT_EXIT
    return replace(genome, entry=entry, **idle)


class Grammar:
    """The genomes of an arena, within bounds."""

    def __init__(self, settings: Settings, bounds: Bounds = Bounds()) -> None:
        """The bounds must leave at least a family, and a value of each gene."""
        self.bounds = bounds
        self.timeframe = settings.timeframe
        self.minutes = TIMEFRAME_MINUTES[settings.timeframe]
        allowed = settings.informative_timeframes if bounds.timeframes is None else bounds.timeframes
        self.timeframes = (
            settings.timeframe,
            *(frame for frame in settings.informative_timeframes if frame in allowed),
        )
        self.pairs = settings.pairs
        self.scalars = {**SCALARS, **dict(bounds.scalars)}
        self._genes = {rule.name: self._of_arena(rule) for rule in RULES.values()}
        self.rules = tuple(name for name, genes in self._genes.items() if all(genes.values()))
        self.families = tuple(
            family for family in FAMILIES if self.of_family(family) and family in (bounds.families or FAMILIES)
        )

    def of_family(self, family: str) -> tuple[str, ...]:
        """Returns the names of a family's rules."""
        return tuple(name for name in self.rules if RULES[name].family == family)

    def genes(self, rule: str) -> Mapping[str, tuple[Gene, ...]]:
        """Returns the values that a rule's genes may have here."""
        return self._genes[rule]

    def frames(self, rule: str) -> tuple[str, ...]:
        """Returns the timeframes that a rule may look at."""
        return self.timeframes[:1] if RULES[rule].base_only else self.timeframes

    def condition(
        self, rng: np.random.Generator, rules: Iterable[str] = (), timeframes: Iterable[str] = ()
    ) -> Condition:
        """Draws a condition of one of the named rules on one of the named timeframes, or of any."""
        name = one_of(rng, tuple(rules) or self.rules)
        frames = tuple(frame for frame in self.frames(name) if frame in timeframes) or self.frames(name)
        return Condition(
            name, one_of(rng, frames), tuple((gene, one_of(rng, values)) for gene, values in self.genes(name).items())
        )

    def random(self, rng: np.random.Generator, family: str = "") -> Genome:
        """Draws a genome of this family, or of any: all families are equally likely, however many rules they have."""
        entry = self._entry(rng, self.of_family(family or one_of(rng, self.families)))
        drawn = {name: one_of(rng, values) for name, values in self.scalars.items()}
        drawn |= {
            name: SCALARS[name][0] for name in OPTIONAL if rng.random() < 0.5 and SCALARS[name][0] in self.scalars[name]
        }
        left = self.bounds.exit
        return normal(
            Genome(
                entry=entry,
                exit_condition=self.condition(rng, left.rules, left.timeframes) if left else self.condition(rng),
                **drawn,
            )
        )

    def _entry(self, rng: np.random.Generator, rules: tuple[str, ...]) -> tuple[Condition, ...]:
        """Draws conditions of which the first is of these rules: needed ones, then random ones."""
        needs = [(tuple(rule for rule in rules if rule in need.rules), need) for need in self.bounds.entry]
        first = next(
            (self.condition(rng, both, need.timeframes) for both, need in needs if both), None
        ) or self.condition(rng, rules)
        needed = [self.condition(rng, need.rules, need.timeframes) for _, need in needs if not _meets(first, need)]
        others = [self.condition(rng) for _ in range(one_of(rng, range(MAX_CONDITIONS)))]
        return (first, *needed, *others)[:MAX_CONDITIONS]

    def has(self, genome: Genome) -> bool:
        """Whether `check` accepts the genome."""
        try:
            self.check(genome)
        except GenomeError:
            return False
        return True

    def check(self, genome: Genome) -> None:
        """
        Raises GenomeError that names the first gene that this arena does not allow, its value and the allowed ones.
        """
        if not 1 <= len(genome.entry) <= MAX_CONDITIONS:
            raise GenomeError(f"entry has {len(genome.entry)} conditions, not 1 to {MAX_CONDITIONS}")
        for name, values in SCALARS.items():
            _among(name, getattr(genome, name), values)
        if (genome.exit == "signal") != (genome.exit_condition is not None):
            raise GenomeError(
                f"exit is {genome.exit!r}, and exit_condition is {genome.exit_condition}. One asks for the other"
            )
        for condition in genome.conditions:
            _among("rule", condition.rule, self.rules)
            _among(f"{condition.rule}.timeframe", condition.timeframe, self.frames(condition.rule))
            genes = self.genes(condition.rule)
            if tuple(condition.values) != tuple(genes):
                raise GenomeError(
                    f"{condition.rule} has the genes {', '.join(condition.values)}, not {', '.join(genes)}"
                )
            for name, value in condition.genes:
                _among(f"{condition.rule}.{name}", value, genes[name])
        if normal(genome) != genome:
            raise GenomeError(
                "the genome is not in its normal form: a gene without effect is set, or nothing ends a position but "
                "its stop"
            )
        self._check_bounds(genome)

    def _check_bounds(self, genome: Genome) -> None:
        """Raises GenomeError for what the bounds exclude."""
        _among("family", genome.family, self.families)
        for name, values in self.bounds.scalars:
            if name != "share" or genome.sizing == "share":  # otherwise it has no effect
                _among(name, getattr(genome, name), values)
        for need in self.bounds.entry:
            if not any(_meets(condition, need) for condition in genome.entry):
                raise GenomeError(f"no condition of entry is one of {', '.join(need.rules)}")
        if self.bounds.exit and not (genome.exit_condition and _meets(genome.exit_condition, self.bounds.exit)):
            raise GenomeError(f"the condition of exit is none of {', '.join(self.bounds.exit.rules)}")

    def _of_arena(self, rule: Rule) -> dict[str, tuple[Gene, ...]]:
        """
        Returns the catalogue's values that this arena's candles allow. A rule that has a gene without values does not
        exist here.
        """
        genes = dict(rule.genes)
        if "leader" in genes:
            genes["leader"] = self.pairs if len(self.pairs) > 1 else ()
        if rule.name == "hours":
            genes["start"] = (
                tuple(start for start in genes["start"] if 60 * start % self.minutes == 0)
                if self.minutes < 1440
                else ()
            )
            lengths: tuple[Any, ...] = genes["length"]  # whole hours
            genes["length"] = tuple(length for length in lengths if 60 * length >= self.minutes)
        return genes


def _meets(condition: Condition, need: Need) -> bool:
    return condition.rule in need.rules and (not need.timeframes or condition.timeframe in need.timeframes)


def one_of(rng: np.random.Generator, values: Any) -> Any:
    """Draws one of the values and keeps its type, which numpy's choice would convert."""
    return values[int(rng.integers(len(values)))]


def _among(name: str, value: Gene, values: tuple[Gene, ...]) -> None:
    if value not in values:
        raise GenomeError(f"{name} is {value!r}. Expected one of {', '.join(map(str, values))}")
