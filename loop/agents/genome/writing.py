"""
Writes a genome as a FreqTrade strategy that a person can read, and reads it back from the class's docstring.

Indicators are computed on the candles of their own timeframe and merged by FreqTrade's `informative`, which waits until
the higher candle has closed; everything else uses the closed candle only.
"""

import ast
import json
import re
import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from arena.settings import TIMEFRAME_MINUTES, Settings
from loop.agents.genome.catalogue import RULES, Rule
from loop.agents.genome.grammar import Condition, Genome, GenomeError, Grammar, from_json, to_json

MARK = "Genome: "
CANDLE = {name: f'dataframe["{name}"]' for name in ("open", "high", "low", "close", "volume")}
CANDLE |= {"hour": 'dataframe["date"].dt.hour', "weekday": 'dataframe["date"].dt.dayofweek'}
USUAL, ATR_PERIOD = 100, 14
"""Candles of the median that a volatility-scaled stake takes as the usual range, and those of the range itself."""
VOLATILITY = {
    "range": f'ta.ATR(dataframe, timeperiod={ATR_PERIOD}) / dataframe["close"]',
    "usual_range": f'dataframe["range"].rolling({USUAL}).median()',
}
WIDTH = 118


@dataclass
class _Frames:
    """Columns by where they are computed: (timeframe, other pair or empty) -> name -> code."""

    base: str
    columns: dict[tuple[str, str], dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    look_back: int = 1

    def add(self, condition: Condition) -> None:
        rule, values = RULES[condition.rule], condition.values
        for columns, leader in ((rule.columns, ""), (rule.leader_columns, str(values.get("leader", "")))):
            for name, code in columns.items():
                self.columns[condition.timeframe, leader][name.format(**values)] = code.format(**values)
        self.look_back = max(self.look_back, rule.look_back(values))

    def named(self, name: str, timeframe: str, leader: str) -> str:
        """Returns a column's name in the conditions."""
        if leader:
            return f"{_tag(leader)}_{name}_{timeframe}"
        return name if timeframe == self.base else f"{name}_{timeframe}"


def source(genome: Genome, name: str, settings: Settings, pairs: tuple[str, ...] = ()) -> str:
    """
    Returns the file `name`.py, which trades `pairs`, or all. The same genome, name and pairs give the same text.

    Raises GenomeError for a genome that this arena does not allow.
    """
    Grammar(settings).check(genome)
    frames = _Frames(settings.timeframe)
    for condition in genome.conditions:
        frames.add(condition)
    if genome.sizing == "volatility":
        frames.columns[settings.timeframe, ""] |= VOLATILITY
        frames.look_back = max(frames.look_back, USUAL + ATR_PERIOD)
    parts = [
        _doc(genome, settings),
        _settings(genome, settings, frames.look_back, pairs),
        *(
            _informative(where, columns)
            for where, columns in sorted(frames.columns.items())
            if where != (settings.timeframe, "")
        ),
        _method("populate_indicators", _assigned(frames.columns.get((settings.timeframe, ""), {}))),
        _method("populate_entry_trend", _entry(genome, frames)),
        _method("populate_exit_trend", _exit(genome, frames)),
        *_stake(genome),
    ]
    body = textwrap.indent("\n\n".join(parts), "    ")
    uses_talib = "import talib.abstract as ta\n" if re.search(r"\bta\.[A-Z]", body) else ""
    names = "IStrategy, informative" if "@informative" in body else "IStrategy"
    return f"{uses_talib}from freqtrade.strategy import {names}\n\n\nclass {name}(IStrategy):\n{body}\n"


def genome_of(text: str) -> Genome:
    """Returns the genome that a strategy file was written from. Raises GenomeError if it holds none."""
    try:
        classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    except (SyntaxError, ValueError) as error:
        raise GenomeError(f"no genome: the file is not Python: {error}") from None
    for node in classes:
        for line in (ast.get_docstring(node) or "").splitlines():
            if line.startswith(MARK):
                return from_json(line.removeprefix(MARK))
    raise GenomeError(f"no genome: no class has a line {MARK!r} in its docstring. It was written by someone else.")


def in_words(condition: Condition, *, against: bool = False) -> str:
    """Returns a condition in words; with `against`, the words of its rule's exit."""
    rule = RULES[condition.rule]
    words = (rule.exit_words if against else rule.words).format(**condition.values)
    return words if rule.base_only else f"{words} ({condition.timeframe})"


def _doc(genome: Genome, settings: Settings) -> str:
    both = " and " if genome.join == "and" else " or "
    first = ", on the first such candle alone" if genome.fresh else ""
    minutes = TIMEFRAME_MINUTES[settings.timeframe]
    leaves = [f"with a loss of {_per_cent(genome.stop)}"]
    if genome.exit == "opposite":
        leaves.insert(0, f"when {in_words(genome.entry[0], against=True)}")
    if genome.exit_condition:
        leaves.insert(0, f"when {in_words(genome.exit_condition, against=True)}")
    if genome.profit:
        leaves.append(f"with a profit of {_steps(genome)}")
    if genome.trailing:
        leaves.append(
            f"{_per_cent(genome.trailing)} below its highest profit once that is {_per_cent(_offset(genome))}"
        )
    if genome.hold:
        leaves.append(f"after {genome.hold} candles ({_span(genome.hold * minutes)})")
    stakes = {
        "full": "what is proposed",
        "share": f"{_per_cent(genome.share)} of what is proposed",
        "volatility": "what is proposed, less while the pair moves more than usual",
    }
    lines = [
        f"Paradigm: {genome.family}",
        f"Enters: when {both.join(map(in_words, genome.entry))}{first}.",
        f"Leaves: {'; '.join(leaves)}.",
        f"Stakes: {stakes[genome.sizing]}.",
    ]
    wrapped = [textwrap.fill(line, WIDTH - 4, subsequent_indent="    ") for line in lines]
    return '"""\n' + "\n".join(wrapped) + f'\n\n{MARK}{to_json(genome)}\n"""'


def _steps(genome: Genome) -> str:
    first, *later = [genome.profit / 2**step for step in range(genome.steps)]
    return ", ".join(
        [
            f"{_per_cent(first)}",
            *(f"from {k * genome.pace} candles on {_per_cent(profit)}" for k, profit in enumerate(later, 1)),
        ]
    )


def _per_cent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"


def _span(minutes: int) -> str:
    for unit, length in (("days", 1440), ("hours", 60)):
        if minutes % length == 0 and minutes > length:
            return f"{minutes // length} {unit}"
    return f"{minutes} minutes"


def _offset(genome: Genome) -> float:
    return round(genome.trailing * genome.reach, 4)


def _settings(genome: Genome, settings: Settings, look_back: int, pairs: tuple[str, ...]) -> str:
    """
    Returns class attributes. The longest holding time is an entry of minimal_roi that accepts any result from then on.
    """
    minutes = TIMEFRAME_MINUTES[settings.timeframe]
    roi = {0: genome.profit or 10.0}
    roi |= {step * genome.pace * minutes: round(genome.profit / 2**step, 5) for step in range(1, genome.steps)}
    if genome.hold:
        roi = {after: profit for after, profit in roi.items() if after < genome.hold * minutes} | {
            genome.hold * minutes: -1
        }
    lines = [
        f'timeframe = "{settings.timeframe}"',
        *([f"pair_basket = {json.dumps(pairs)}"] if pairs else []),
        f"startup_candle_count = {look_back}  # the longest look-back",
        "# minutes in the position: profit that is taken from then on"
        + ("; -1 takes any result" if genome.hold else ""),
        "minimal_roi = {" + ", ".join(f'"{after}": {profit}' for after, profit in roi.items()) + "}",
        f"stoploss = -{genome.stop}",
    ]
    if genome.trailing:
        lines += [
            "# a stop that follows the highest price, from a profit of the offset on",
            "trailing_stop = True",
            f"trailing_stop_positive = {genome.trailing}",
            f"trailing_stop_positive_offset = {_offset(genome)}",
            "trailing_only_offset_is_reached = True",
        ]
    return "\n".join(lines)


def _informative(where: tuple[str, str], columns: dict[str, str]) -> str:
    timeframe, leader = where
    if leader:
        name = f"populate_indicators_{_tag(leader)}_{timeframe}"
        decorator = f'@informative("{timeframe}", "{leader}", "{_tag(leader)}_{{column}}_{{timeframe}}")'
    else:
        name, decorator = f"populate_indicators_{timeframe}", f'@informative("{timeframe}")'
    return f"{decorator}\n{_method(name, _assigned(columns))}"


def _assigned(columns: dict[str, str]) -> list[str]:
    return [f'dataframe["{name}"] = {code}' for name, code in columns.items()]


def _method(name: str, lines: list[str]) -> str:
    body = "\n".join(f"    {line}" for line in [*lines, "return dataframe"])
    return f"def {name}(self, dataframe, metadata):\n{body}"


def _expression(condition: Condition, frames: _Frames, *, against: bool = False) -> str:
    """Returns a condition on the merged frame: replaces the template's names by columns and candles."""
    rule, values = RULES[condition.rule], condition.values
    text = _template(rule, against).format(**values)
    leader = str(values.get("leader", ""))

    def column(found: re.Match[str]) -> str:
        own, other, candle = found.groups()
        if candle:
            return CANDLE[candle]
        return f'dataframe["{frames.named(own or other, condition.timeframe, "" if own else leader)}"]'

    return re.sub(rf"\[([\w.]+)\]|<([\w.]+)>|\b({'|'.join(CANDLE)})\b", column, text)


def _template(rule: Rule, against: bool) -> str:
    return rule.exit if against else rule.entry


def _entry(genome: Genome, frames: _Frames) -> list[str]:
    lines: list[str] = []
    names: list[str] = []
    for condition in genome.entry:
        taken = sum(other.rule == condition.rule for other in genome.entry[: len(names)])
        names.append(f"{condition.rule}_{taken + 1}" if taken else condition.rule)
        lines += [f"# {in_words(condition)}", f"{names[-1]} = {_expression(condition, frames)}"]
    lines.append(f"signal = {(' & ' if genome.join == 'and' else ' | ').join(names)}")
    if genome.fresh:
        lines += ["# the first candle of a signal alone", "signal = signal & ~signal.shift(1, fill_value=False)"]
    return [*lines, 'dataframe.loc[signal, "enter_long"] = 1']


def _exit(genome: Genome, frames: _Frames) -> list[str]:
    condition = genome.exit_condition or (genome.entry[0] if genome.exit == "opposite" else None)
    if condition is None:
        return []
    return [
        f"# {in_words(condition, against=True)}",
        f'dataframe.loc[{_expression(condition, frames, against=True)}, "exit_long"] = 1',
    ]


def _stake(genome: Genome) -> list[str]:
    head = (
        "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, "
        "**kwargs):"
    )
    lines: dict[str, Any] = {
        "full": [],
        "share": [head, f"    return {genome.share} * proposed_stake"],
        "volatility": [
            head,
            "    # twice the usual range gets half the stake; a quiet pair gets no more than is proposed",
            "    candles, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)",
            "    last = candles.iloc[-1]",
            '    return proposed_stake * min(1.0, last["usual_range"] / last["range"])',
        ],
    }
    return ["\n".join(lines[genome.sizing])] if lines[genome.sizing] else []


def _tag(pair: str) -> str:
    """Returns a pair's base currency as a part of names."""
    return re.sub(r"\W", "_", pair.partition("/")[0]).lower()
