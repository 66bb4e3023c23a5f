"""Compares recorded figures with those of now: numbers, texts, and nested lists and mappings. Pure."""

import json
import math
from collections.abc import Iterator
from typing import Any

SHOWN = 5
"""Most differing figures that are shown; the others are counted."""


def unlike(before: Any, now: Any, where: str, name: str = "", *, apart: float = 0.0) -> Iterator[str]:
    """
    Yields a phrase per figure that differs; nan equals nan. Numbers may differ by `apart`, relative to the larger one.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from unlike(before.get(key), now.get(key), where, f"{name}.{key}" if name else key, apart=apart)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for k, (a, b) in enumerate(zip(before, now, strict=True)):
            yield from unlike(a, b, where, f"{name}[{k}]", apart=apart)
    elif before != now and not (before != before and now != now) and not _near(before, now, apart):
        yield f"{name} is {_short(before)} in {where}, {_short(now)} now"


def told(differing: list[str]) -> str:
    """Returns the first differences in one line."""
    more = f"; and {len(differing) - SHOWN} more figures" if len(differing) > SHOWN else ""
    return "; ".join(differing[:SHOWN]) + more


def count(value: Any) -> int:
    """Counts the figures in a nested value."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 1 if children is None else sum(map(count, children))


def _near(before: Any, now: Any, apart: float) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, now))
    return numbers and math.isclose(before, now, rel_tol=apart)


def _short(value: Any) -> str:
    text = f"{value:.10g}" if isinstance(value, float) else json.dumps(value)
    return text if len(text) <= 80 else text[:79] + "…"
