"""
Turns a brief into bounds of the grammar, for agents that draw from one, and says what of it they cannot honour.

The indicators of a rule are read from the file that the rule is written as, like those of any other strategy.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from arena.settings import Settings
from loop.agents.genome.catalogue import RULES, Gene
from loop.agents.genome.grammar import MAX_CONDITIONS, SCALARS, Bounds, Condition, Genome, Grammar, Need, normal
from loop.agents.genome.writing import source
from loop.brief.indicators import shown
from loop.brief.reading import Brief, Row


def bounds(brief: Brief, settings: Settings) -> tuple[Bounds, tuple[str, ...]]:
    """Returns what the brief leaves of the arena's grammar, and a line for each wish that it cannot meet."""
    unmet = [words for applies, words in _never(brief) if applies]
    framed = Grammar(settings, Bounds(timeframes=brief.timeframes))
    entry = _needs(brief.entry, framed, settings, unmet, "entry")
    exits = _needs(brief.exit, framed, settings, unmet, "exit")
    if len(exits) > 1:
        unmet.append(f"of {len(exits)} rows of exit the first alone: a strategy has one condition that ends it")
    families = brief.families or tuple(dict.fromkeys(RULES[rule].family for rule in (entry[0].rules if entry else ())))
    while len(entry) > _room(entry, families):
        entry.pop()
        unmet.append(
            f"row {len(entry) + 1} of entry: a strategy has at most {MAX_CONDITIONS} conditions, one of its family"
        )
    scalars = _scalars(brief, unmet)
    scalars |= {"exit": ("signal",)} if exits else {}
    scalars |= {"join": ("and",)} if entry else {}
    missing = [family for family in families if not framed.of_family(family)]
    unmet += [f"the family {family}: this arena has no rule of it" for family in missing]
    families = tuple(family for family in families if family not in missing)
    if brief.slots and brief.slots < len(brief.pairs or settings.pairs):
        unmet.append(f"slots = {brief.slots}: its strategies count no positions. Name {brief.slots} pairs instead")
    remaining = Bounds(
        families,
        brief.timeframes,
        tuple(entry),
        exits[0] if exits else None,
        tuple(scalars.items()),
        brief.pairs,
        brief.max_strategies,
    )
    return remaining, tuple(unmet)


def _never(brief: Brief) -> list[tuple[bool, str]]:
    """Returns pairs: whether the brief has a wish that no grammar here can meet, and a line about it."""
    rows = (*brief.entry, *brief.exit)
    return [
        (bool(brief.text.strip()), "text: it reads no words"),
        (
            any(row.operator or row.period for row in rows),
            "operators, thresholds and periods of rows: it has its own for each indicator",
        ),
        (any(not row.required for row in rows), "rows with required = false: it takes no suggestions"),
        (
            brief.risk.max_drawdown is not None,
            "risk.max_drawdown: it is told of what was evaluated, and bred for by no one",
        ),
    ]


def _needs(rows: Sequence[Row], grammar: Grammar, settings: Settings, unmet: list[str], kind: str) -> list[Need]:
    needs = []
    for number, row in enumerate(rows, 1):
        if not row.required:
            continue
        rules = tuple(
            rule for rule in grammar.rules if _uses(rule, settings) & set(row.indicator) and _looks(rule, grammar, row)
        )
        if rules:
            needs.append(Need(rules, row.timeframe))
        else:
            where = f" on {' or '.join(row.timeframe)}" if row.timeframe else ""
            unmet.append(f"row {number} of {kind}: it has no rule with {' or '.join(row.indicator)}{where}")
    return needs


def _looks(rule: str, grammar: Grammar, row: Row) -> bool:
    return not row.timeframe or bool(set(grammar.frames(rule)) & set(row.timeframe))


@cache
def _shown(text: str) -> frozenset[str]:
    return shown(text)


def _uses(rule: str, settings: Settings) -> frozenset[str]:
    """Returns the indicators of a strategy whose only condition is of this rule."""
    grammar = Grammar(settings)
    condition = Condition(
        rule, settings.timeframe, tuple((gene, values[0]) for gene, values in grammar.genes(rule).items())
    )
    plain: dict[str, Any] = {name: values[0] for name, values in SCALARS.items()}
    return _shown(source(normal(Genome(entry=(condition,), exit_condition=None, **plain)), "One", settings))


def _room(entry: Sequence[Need], families: Sequence[str]) -> int:
    """
    Returns how many conditions are left for needs: one is reserved if a family may be drawn of which no need has a
    rule.
    """
    covered = {RULES[rule].family for need in entry for rule in need.rules}
    return MAX_CONDITIONS if set(families) <= covered else MAX_CONDITIONS - 1


def _scalars(brief: Brief, unmet: list[str]) -> dict[str, tuple]:
    """Returns the values that are left of genes; a gene without any value left stays unbound and is reported."""
    sizing, risk = brief.sizing, brief.risk
    choices: dict[str, tuple[str, tuple[Gene, ...]]] = {}
    if sizing.method or sizing.share:
        choices["sizing"] = ("sizing.method", sizing.method or ("share",))
    if sizing.share:
        choices["share"] = ("sizing.share", tuple(value for value in SCALARS["share"] if value in sizing.share))
    for gene, key, span in (("stop", "risk.stop", risk.stop), ("profit", "risk.take_profit", risk.take_profit)):
        if span:
            values: tuple[Any, ...] = SCALARS[gene]  # ratios
            choices[gene] = (key, tuple(value for value in values if span[0] <= value <= span[1]))
    if risk.trailing is not None:
        choices["trailing"] = (
            "risk.trailing",
            tuple(value for value in SCALARS["trailing"] if bool(value) == risk.trailing),
        )
    unmet += [
        f"{key}: it has {', '.join(map(str, SCALARS[gene]))} alone" for gene, (key, left) in choices.items() if not left
    ]
    return {gene: left for gene, (_, left) in choices.items() if left}
