"""Reads answers that are JSON instead of headings, or what a model takes for JSON."""

import ast
import json
from collections.abc import Iterator
from typing import Any

import rapidjson

from loop.agents.llm.headings import EVENT
from loop.agents.source_text import Draft, strategies_in

_CODE = ("source", "code", "python", "content", "file_content", "body", "strategy_code")
_NAME = ("name", "strategy", "strategy_name", "class", "class_name", "file", "filename", "path")
_EVENT = ("event", "action", "type", "op", "operation", "change")
_NOTE = ("note", "hypothesis", "reason", "rationale", "description")
_PARENT = ("parent", "from", "base")
MAX_DEPTH = 6


def read(text: str, fenced: list[str]) -> tuple[list[Draft], str | None] | None:
    """
    Returns drafts and learnings of a JSON answer; None if neither the text nor one of its fences is JSON with either.
    """
    for candidate in _candidates(text, fenced):
        value = _loaded(candidate)
        if isinstance(value, (dict, list)):
            drafts = list(_drafts(value, 0))
            notes = _text(value, ("learnings", "learnings.md", "lessons")) if isinstance(value, dict) else ""
            if drafts or notes:
                return drafts, notes or None
    return None


def _candidates(text: str, fenced: list[str]) -> Iterator[str]:
    """Yields the whole text, its fences' content, and the text from its first to its last bracket."""
    yield text
    yield from fenced
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    end = max(text.rfind("}"), text.rfind("]"))
    if starts and end > min(starts):
        yield text[min(starts) : end + 1]


def _loaded(text: str) -> Any:
    text = text.strip()
    if not text.startswith(("{", "[")):
        return None
    for load in (
        lambda: json.loads(text, strict=False),  # with line ends inside strings
        lambda: rapidjson.loads(text, parse_mode=rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS),
        lambda: ast.literal_eval(text),  # Python's own quotes, tripled ones among them
    ):
        try:
            return load()
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _drafts(value: Any, depth: int) -> Iterator[Draft]:
    """Yields a draft for every object that names an event or holds code, however deep it lies."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _drafts(item, depth + 1)
    elif isinstance(value, dict):
        event = EVENT.get(_text(value, _EVENT).lower(), "")
        source, name = _text(value, _CODE), _text(value, _NAME)
        if event in ("create", "evolve", "fork", "kill") and (source or name) or source and strategies_in(source):
            name = name.removeprefix("user_data/strategies/").removesuffix(".py")
            yield Draft(
                event,
                name,
                _text(value, _PARENT),
                " ".join(_text(value, _NOTE).split())[:300],
                "" if event == "kill" else source,
            )
            return
        for key, item in value.items():
            if isinstance(item, str) and strategies_in(item):
                yield Draft("", str(key).removesuffix(".py"), source=item)
            elif str(key).lower() in EVENT and isinstance(item, dict):
                yield from _drafts({"event": str(key), **item}, depth + 1)
            elif EVENT.get(str(key).lower()) == "kill" and isinstance(item, (str, list)):
                yield from (
                    Draft("kill", name) for name in ([item] if isinstance(item, str) else item) if isinstance(name, str)
                )
            else:
                yield from _drafts(item, depth + 1)


def _text(value: dict[str, Any], keys: tuple[str, ...]) -> str:
    """Returns the text of the first key that holds one; joins the lines of a list."""
    lowered = {str(key).lower(): item for key, item in value.items()}
    for key in keys:
        item = lowered.get(key)
        if isinstance(item, str):
            return item if key in _CODE else item.strip()
        if isinstance(item, list) and key in _CODE and item and all(isinstance(line, str) for line in item):
            return "\n".join(item)
    return ""
