"""
What a person wants of a run, typed and closed: rows for entry and exit, sizing, risk, assets, timeframes, slots, and
free words.

A brief is a TOML file, or words alone. Reading it checks everything against the arena. Agents that read are shown the
brief, and it binds agents with a grammar as far as it can (`grammar_bounds`). What a strategy's text shows is checked
(`compliance`).
"""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from arena.errors import ArenaError
from arena.settings import Settings
from loop.agents.genome.catalogue import FAMILIES
from loop.brief.indicators import named

FILE = "brief.toml"
MAX_BYTES = 100_000
COLUMNS = ("open", "high", "low", "close", "volume")
NEEDS_THRESHOLD = ("above", "below", "crosses_above", "crosses_below")
OPERATORS = (*NEEDS_THRESHOLD, "rising", "falling")
SAID = {
    "above": "is above",
    "below": "is below",
    "crosses_above": "crosses above",
    "crosses_below": "crosses below",
    "rising": "rises",
    "falling": "falls",
}
METHODS = ("full", "share", "volatility")


def _listed(value: Any) -> Any:
    """Allows a single choice without brackets."""
    return tuple(value) if isinstance(value, list) else (value,)


def _range(value: Any) -> Any:
    """Turns one number into a range."""
    return tuple(value) if isinstance(value, list) else (value, value)


def _known(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        near = get_close_matches(value, allowed, n=1, cutoff=0.4)
        raise ValueError(
            f"{value!r} is no {what}. " + (f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(allowed)}")
        )
    return value


def _pair(value: str, info: ValidationInfo[Settings]) -> str:
    return _known(value, info.context.pairs, "pair of this arena")


def _timeframe(value: str, info: ValidationInfo[Settings]) -> str:
    return _known(value, (info.context.timeframe, *info.context.informative_timeframes), "timeframe of this arena")


def _threshold(value: float | str) -> float | str:
    return value if not isinstance(value, str) or value in COLUMNS else named(value)


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"{value[0]:g} to {value[1]:g} is no range: the smaller one comes first")
    return value


Fraction = Annotated[float, Field(gt=0, lt=1)]
Range = Annotated[tuple[Fraction, Fraction], BeforeValidator(_range), AfterValidator(_ordered)]
Timeframe = Annotated[str, AfterValidator(_timeframe)]
_CHOICE = BeforeValidator(_listed)
_SOME = Field(min_length=1)


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Row(_Closed):
    """A condition. Where several values are given, any of them is enough."""

    indicator: Annotated[tuple[Annotated[str, AfterValidator(named)], ...], _CHOICE, _SOME]
    """Names as TA-Lib has them, or hour, weekday, volume, zscore, ichimoku."""
    period: Annotated[tuple[Annotated[int, Field(ge=1)], ...], _CHOICE] = ()
    """Look-back in candles."""
    operator: Annotated[
        tuple[Annotated[str, AfterValidator(lambda value: _known(value, OPERATORS, "operator"))], ...], _CHOICE
    ] = ()
    """above, below, crosses_above, crosses_below (of a threshold), rising, falling."""
    threshold: Annotated[tuple[Annotated[float | str, AfterValidator(_threshold)], ...], _CHOICE] = ()
    """Numbers, indicators, or open, high, low, close, volume."""
    timeframe: Annotated[tuple[Timeframe, ...], _CHOICE] = ()
    """Where the indicator is computed."""
    required: bool = True
    """Whether every strategy must use one of the indicators; false: a suggestion."""

    @model_validator(mode="after")
    def _whole(self) -> "Row":
        needs = [operator for operator in self.operator if operator in NEEDS_THRESHOLD]
        if needs and not self.threshold:
            raise ValueError(f"{needs[0]} needs a threshold, for example threshold = 30 or threshold = 'close'")
        if self.threshold and not needs:
            raise ValueError(f"a threshold needs an operator of {', '.join(NEEDS_THRESHOLD)}")
        return self


class Sizing(_Closed):
    method: Annotated[
        tuple[Annotated[str, AfterValidator(lambda value: _known(value, METHODS, "method"))], ...], _CHOICE
    ] = ()
    """full: what is proposed; share: a part of it; volatility: less while the pair moves more than usual."""
    share: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], _CHOICE] = ()
    """For share: parts of what is proposed, as fractions."""


class Risk(_Closed):
    stop: Range | None = None
    """Smallest and largest stop-loss, as fractions of the entry price."""
    take_profit: Range | None = None
    """Smallest and largest profit at which it is taken, as fractions."""
    trailing: bool | None = None
    """Whether a stop that follows the price is required or forbidden."""
    max_drawdown: Fraction | None = None
    """Deepest fall of the account, as a fraction; checked in evaluated figures."""


class Brief(_Closed):
    """What a person wants. What is left out is free."""

    title: str = ""
    """A name for it."""
    text: str = ""
    """Free words, for agents that read."""
    pairs: Annotated[tuple[Annotated[str, AfterValidator(_pair)], ...], _CHOICE] = ()
    """What may be traded; other pairs may still be looked at."""
    timeframes: Annotated[tuple[Timeframe, ...], _CHOICE] | None = None
    """What a strategy may look at beside the arena's own timeframe; an empty list: nothing."""
    families: Annotated[
        tuple[Annotated[str, AfterValidator(lambda value: _known(value, FAMILIES, "family"))], ...], _CHOICE
    ] = ()
    """Paradigms: trend, breakout, reversion, momentum, volatility, volume, relative strength, calendar."""
    max_strategies: int | None = Field(None, ge=1)
    """Most strategies at a time, at most the arena's."""
    slots: int | None = Field(None, ge=1)
    """Most positions that a strategy holds at a time, at most the arena's."""
    entry: tuple[Row, ...] = ()
    """A row for each condition of entry; all of them hold together."""
    exit: tuple[Row, ...] = ()
    """A row for each reason to leave; any of them is enough."""
    sizing: Sizing = Sizing()
    risk: Risk = Risk()

    @model_validator(mode="before")
    @classmethod
    def _rows(cls, values: Any) -> Any:
        """Turns TOML's lists of tables into the tuples of a frozen model; one table becomes a list of one."""
        return {
            key: _listed(value) if key in ("entry", "exit") and isinstance(value, list | dict) else value
            for key, value in values.items()
        }

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> "Brief":
        arena: Settings | None = info.context
        if arena and (self.max_strategies or 1) > arena.max_strategies:
            raise ValueError(f"max_strategies is {self.max_strategies}, arena.max_strategies is {arena.max_strategies}")
        if arena and 0 < arena.max_open_trades < (self.slots or 1):
            raise ValueError(f"slots is {self.slots}, max_open_trades of the arena is {arena.max_open_trades}")
        for kind, rows in (("entry", self.entry), ("exit", self.exit)):
            for number, row in enumerate(rows, 1):
                outside = [
                    t
                    for t in row.timeframe
                    if arena and self.timeframes is not None and t not in (arena.timeframe, *self.timeframes)
                ]
                if outside:
                    raise ValueError(f"row {number} of {kind} looks at {outside[0]}, which timeframes leaves out")
        return self


def parse(text: str, settings: Settings, name: str = FILE) -> Brief:
    """Returns the brief in a TOML text. Raises ArenaError that names key, line, value and what is expected."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ArenaError(
            f"{name} is not TOML: {error}. Words go into quotes, conditions below [[entry]] or [[exit]]."
        ) from None
    try:
        return Brief.model_validate(table, context=settings)
    except ValidationError as error:
        raise ArenaError(_explained(error, text, name)) from None


def load(word: str, settings: Settings) -> Brief:
    """Returns the brief in the file that `word` names, or the one that is `word` itself. Raises ArenaError."""
    path = Path(word).expanduser() if word and "\n" not in word and "\0" not in word and len(word) < 1000 else None
    try:
        if path and path.is_file():
            data = path.read_bytes()
            if len(data) > MAX_BYTES:
                raise ArenaError(f"the brief {path.name} is larger than {MAX_BYTES // 1000} kB. Say less.")
            return parse(data.decode("utf-8-sig"), settings, path.name)
    except UnicodeDecodeError:
        raise ArenaError(f"the brief {path} is not UTF-8 text.") from None
    except OSError as error:
        if not re.fullmatch(r"\S+", word):
            return Brief(text=word.strip())
        raise ArenaError(f"the brief {path} cannot be read: {error.strerror}.") from None
    if re.fullmatch(r"\S+\.toml", word):
        near = get_close_matches(
            Path(word).name, [file.name for file in Path(word).expanduser().parent.glob("*.toml")], n=1
        )
        raise ArenaError(
            f"there is no brief {word}."
            + (
                f" Did you mean {near[0]}?"
                if near
                else " `uv run drive.py --brief`, without a value, asks and writes one."
            )
        )
    return Brief(text=word.strip())


def in_words(brief: Brief, settings: Settings) -> str:
    """Returns the brief as an agent reads it; free words stay as they are."""
    lines = [brief.title, brief.text.strip()]
    if brief.pairs:
        lines.append(
            f"- trade {', '.join(brief.pairs)} alone: pair_basket = [{', '.join(map(repr, brief.pairs))}] or fewer of "
            f"them"
        )
    if brief.timeframes is not None:
        lines.append(
            f"- besides {settings.timeframe}, look at "
            f"{_any(brief.timeframes) if brief.timeframes else 'no other timeframe'}"
        )
    if brief.families:
        lines.append(f"- paradigm: {_any(brief.families)}")
    if brief.max_strategies:
        lines.append(
            f"- at most {brief.max_strategies} {'strategy' if brief.max_strategies == 1 else 'strategies'} at a time"
        )
    if brief.slots:
        lines.append(
            f"- at most {brief.slots} positions at a time: a pair_basket that small, or a confirm_trade_entry that "
            f"counts them"
        )
    lines += [f"- enter when {_condition(row)}" for row in brief.entry]
    lines += [f"- leave when {_condition(row)}" for row in brief.exit]
    lines += _money(brief)
    return "\n".join(line for line in lines if line)


def _money(brief: Brief) -> list[str]:
    words = {
        "full": "what is proposed",
        "share": "a part of what is proposed",
        "volatility": "less while the pair moves more than usual",
    }
    sizing, risk, lines = brief.sizing, brief.risk, []
    if sizing.method:
        lines.append(f"- stake: {_any(tuple(words[method] for method in sizing.method))}")
    if sizing.share:
        lines.append(f"- of what is proposed, stake {_any(tuple(f'{share:g}' for share in sizing.share))}")
    if risk.stop:
        lines.append(
            f"- stop-loss: {_span(risk.stop)} below the entry, written as a number, for example stoploss = "
            f"-{risk.stop[1]:g}"
        )
    if risk.take_profit:
        lines.append(f'- take profit at {_span(risk.take_profit)}, as the entry "0" of minimal_roi')
    if risk.trailing is not None:
        lines.append(
            "- with a stop that follows the price" if risk.trailing else "- without a stop that follows the price"
        )
    if risk.max_drawdown:
        lines.append(f"- max_drawdown_pct no deeper than {100 * risk.max_drawdown:g} %")
    return lines


def _condition(row: Row) -> str:
    period = f" of {_any(row.period)} candles" if row.period else ""
    operator = _any(tuple(SAID[operator] for operator in row.operator)) if row.operator else "says so"
    against = f" {_any(row.threshold)}" if row.threshold else ""
    where = f" on {_any(row.timeframe)}" if row.timeframe else ""
    return f"{_any(row.indicator)}{period} {operator}{against}{where}" + (
        " (required)" if row.required else " (a suggestion)"
    )


def _any(values: tuple[Any, ...]) -> str:
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _span(bounds: tuple[float, float]) -> str:
    low, high = (f"{100 * bound:.4g} %" for bound in bounds)
    return low if low == high else f"{low} to {high}"


def _explained(error: ValidationError, text: str, name: str) -> str:
    """Returns the first error as a sentence: file, line, key, value, what was expected."""
    errors = error.errors()
    # a misspelt key can also be reported as missing
    first = next((entry for entry in errors if entry["type"] == "extra_forbidden"), errors[0])
    where = [
        part
        for part in first["loc"]
        if not (isinstance(part, str) and (part.startswith("function-") or part in ("float", "str", "int")))
    ]
    line = _line(text, where)
    place = f"{name}, line {line}: " if line else f"{name}: "
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
    if first["type"] == "extra_forbidden":
        near = get_close_matches(str(where[-1]), _keys(where[:-1]), n=1, cutoff=0.5)
        return f"{place}unknown key {key}." + (
            f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(_keys(where[:-1]))}."
        )
    if first["type"] == "missing":
        return f"{place}{key} is missing."
    message = first["msg"].removeprefix("Value error, ")
    value = "" if first["type"] == "value_error" else f" is {first['input']!r}"
    hint = " Fractions: 0.05 is 5 %." if first["type"] in ("less_than", "less_than_equal") else ""
    return f"{place}{key}{value}{': ' if key or value else ''}{message}{'' if message.endswith('?') else '.'}{hint}"


def _keys(where: list[Any]) -> list[str]:
    models: dict[str, type[BaseModel]] = {"entry": Row, "exit": Row, "sizing": Sizing, "risk": Risk}
    model = models.get(str(where[0]), Brief) if where else Brief
    return list(model.model_fields)


def _line(text: str, where: list[Any]) -> int | None:
    """
    Returns the line of a key: below the header of its table, of the n-th if there are several; None if it is not found.
    """
    header = str(where[0]) if len(where) > 1 and where[0] in ("entry", "exit", "sizing", "risk") else ""
    nth = where[1] if header in ("entry", "exit") and isinstance(where[1], int) else 0
    names = [part for part in where[1 if header else 0 :] if isinstance(part, str)]
    table, seen, begun = "", -1, None
    for number, line in enumerate(text.splitlines(), 1):
        if opening := re.match(r"\s*\[\[?\s*([\w.-]+)\s*\]", line):
            table = opening[1]
            seen += table == header
            begun = number if table == header and seen == nth else begun
        if (
            table == header
            and (not header or seen == nth)
            and names
            and re.match(rf"\s*[\"']?{re.escape(names[0])}[\"']?\s*[=.]", line)
        ):
            return number
        if not header and names and table == names[0]:
            return number
    return begun
