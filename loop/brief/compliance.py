"""
Finds where a strategy's text departs from a brief. A pure scan: nothing runs, and the evaluation handles what is not
Python.

The scan sees literals and names: the basket, timeframes, stop-loss, minimal_roi, trailing stop, callbacks, indicators
by name. It does not see operators, thresholds and periods, or computed values; a strategy that hides what it does from
its reader hides it from this scan too.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from arena.settings import TIMEFRAME_MINUTES, Settings
from loop.agents.source_text import parsed, strategies_in
from loop.brief.indicators import VOLATILITY, shown
from loop.brief.reading import Brief, Row
from loop.protocol import Proposal, State, Tried

COMPUTED = object()
"""Stands for the value of an attribute that is not a literal."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a strategy's source shows."""

    attributes: Mapping[str, Any] = field(default_factory=dict)  # of the class: literals, or COMPUTED
    methods: frozenset[str] = frozenset()
    timeframes: frozenset[str] = frozenset()  # string literals that are timeframes, wherever they stand
    indicators: frozenset[str] = frozenset()


def problems(brief: Brief, proposal: Proposal, state: State) -> list[str]:
    """Returns where a proposal departs from the brief, one line each."""
    settings = state.settings
    complaints = [
        f"{change.strategy}: {text}"
        for change in proposal.changes
        if change.event != "kill"
        for text in departures(brief, change.source, settings)
    ]
    remaining = state.active.keys() - {change.strategy for change in proposal.changes if change.event == "kill"}
    remaining |= {change.strategy for change in proposal.changes if change.event in ("create", "fork")}
    if brief.max_strategies and len(remaining) > brief.max_strategies:
        complaints.append(
            f"{len(remaining)} strategies would be active ({', '.join(sorted(remaining))}), the brief wants at most "
            f"{brief.max_strategies}"
        )
    return complaints


def departures(brief: Brief, source: str, settings: Settings) -> list[str]:
    """Returns where one strategy departs from the brief; empty for text that is not Python."""
    text = _read(source)
    if text is None:
        return []
    return [*_assets(brief, text, settings), *_rows(brief, text, settings), *_sizing(brief, text), *_risk(brief, text)]


def earned(brief: Brief, tried: Tried) -> list[str]:
    """Returns where the figures of an evaluated strategy depart from the brief."""
    most, result = brief.risk.max_drawdown, tried.result
    if most is None or result is None or result.error or result.own.max_drawdown <= most:
        return []
    return [f"its drawdown is {100 * result.own.max_drawdown:.1f} %, the brief wants at most {100 * most:g} %"]


def _read(source: str) -> Text | None:
    tree, class_names = parsed(source), strategies_in(source)
    if tree is None or not class_names:
        return None
    attributes: dict[str, Any] = {}
    methods: set[str] = set()
    for node in (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in class_names):
        for part in node.body:
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                methods.add(part.name)
            elif isinstance(part, ast.Assign | ast.AnnAssign) and part.value is not None:
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                attributes |= {target.id: _literal(part.value) for target in targets if isinstance(target, ast.Name)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return Text(attributes, frozenset(methods), frozenset(texts & TIMEFRAME_MINUTES.keys()), shown(source))


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return COMPUTED


def _assets(brief: Brief, text: Text, settings: Settings) -> Iterable[str]:
    basket = text.attributes.get("pair_basket", settings.pairs)
    if isinstance(basket, list | tuple):  # the arena refuses all other types
        if brief.pairs and (other := [pair for pair in basket if pair not in brief.pairs]):
            yield f"it trades {_some(other)}. The brief wants pair_basket = {list(brief.pairs)}, or fewer of them"
        if brief.slots and len(basket) > brief.slots and "confirm_trade_entry" not in text.methods:
            yield (
                f"it may hold {len(basket)} positions. The brief wants at most {brief.slots}: fewer pairs, or a "
                f"confirm_trade_entry that counts them"
            )
    if brief.timeframes is not None and (frames := text.timeframes - {settings.timeframe, *brief.timeframes}):
        yield (
            f"it looks at {_some(sorted(frames))}. Besides {settings.timeframe} the brief allows "
            f"{_some(brief.timeframes) or 'no other timeframe'}"
        )


def _rows(brief: Brief, text: Text, settings: Settings) -> Iterable[str]:
    for kind, rows in (("entry", brief.entry), ("exit", brief.exit)):
        for row in (row for row in rows if row.required):
            if not text.indicators & set(row.indicator):
                yield f"there is no {' or '.join(row.indicator)} in it, which the brief wants for its {kind}"
            elif missing := _frame_missing(row, text, settings):
                yield (
                    f"it does not look at {missing}, on which the brief wants {' or '.join(row.indicator)} for its "
                    f"{kind}"
                )


def _frame_missing(row: Row, text: Text, settings: Settings) -> str:
    return (
        ""
        if not row.timeframe or {settings.timeframe, *text.timeframes} & set(row.timeframe)
        else " or ".join(row.timeframe)
    )


def _sizing(brief: Brief, text: Text) -> Iterable[str]:
    wanted = brief.sizing.method
    if not wanted:
        return
    sized = "custom_stake_amount" in text.methods
    if sized and wanted == ("full",):
        yield "it has a custom_stake_amount. The brief wants what is proposed staked in full"
    if not sized and "full" not in wanted:
        yield f"it has no custom_stake_amount. The brief wants its stake by {' or '.join(wanted)}"
    if sized and wanted == ("volatility",) and not text.indicators & set(VOLATILITY):
        yield f"its stake follows no measure of volatility. Use one of {', '.join(VOLATILITY)}"


def _risk(brief: Brief, text: Text) -> Iterable[str]:
    risk = brief.risk
    if risk.stop:
        yield from _within("stoploss", text.attributes.get("stoploss"), risk.stop, sign=-1)
    if risk.take_profit:
        roi = text.attributes.get("minimal_roi")
        yield from _within(
            'minimal_roi["0"]', roi.get("0", roi.get(0)) if isinstance(roi, dict) else roi, risk.take_profit
        )
    follows = text.attributes.get("trailing_stop", False) is not False or "custom_stoploss" in text.methods
    if risk.trailing is not None and risk.trailing != follows:
        yield (
            "it has no stop that follows the price: trailing_stop or custom_stoploss"
            if risk.trailing
            else "its stop follows the price, which the brief does not want"
        )


def _within(name: str, value: Any, bounds: tuple[float, float], sign: int = 1) -> Iterable[str]:
    low, high = (f"{sign * bound:g}" for bound in bounds)
    wanted = f"The brief wants {low}" + (f" to {high}" if low != high else "")
    if value is None:
        yield f"it has no {name}. {wanted}"
    elif isinstance(value, bool) or not isinstance(value, int | float):
        yield f"its {name} is no plain number. {wanted}, so that it can be read"
    elif not bounds[0] <= sign * value <= bounds[1]:
        yield f"its {name} is {value:g}. {wanted}"


def _some(values: Iterable[str]) -> str:
    return ", ".join(values)
