"""
Plain values: what is exactly a number, a text, True, False, None, or a list, tuple or dict of such. Pure.

Everything else may answer for itself: a subclass of float compares as it likes, whatever its printed form says. What
FreqTrade reads of a strategy is plain, so that what is compared is what decides.
"""

from enum import Enum
from hashlib import sha256
from typing import Any

import numpy as np

SCALARS = frozenset({type(None), bool, int, float, str})
NUMBERS = frozenset(kind for kind in np.sctypeDict.values() if issubclass(kind, np.bool_ | np.integer | np.floating))
"""numpy's own scalars."""
MAX_DEPTH = 12
SHOWN = 200
"""Characters that are left of a text that is too long to be told."""


class NotPlain(ValueError):
    """The message says what it is instead."""


def copy(value: Any, depth: int = MAX_DEPTH) -> Any:
    """The same value in Python's own types, nothing shared that could be changed. Raises NotPlain."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind in NUMBERS or kind is np.str_:
        return value.item() if kind is not np.longdouble else float(value)
    if kind in (list, tuple, dict) and not depth:
        raise NotPlain("nests too deep")
    if kind is dict:
        return {copy(key, depth - 1): copy(entry, depth - 1) for key, entry in value.items()}
    if kind in (list, tuple):
        return kind(copy(entry, depth - 1) for entry in value)
    raise NotPlain(f"holds {named(value)}")


def text_of(value: object) -> str | None:
    """A text as Python's own, where it is one, or a member of an enumeration of texts. None for everything else."""
    if type(value) is str:
        return value
    return (
        str.__str__(value) if type(value) is np.str_ or (isinstance(value, str) and isinstance(value, Enum)) else None
    )


def named(value: object) -> str:
    """What a value is, for a message: no code of its class runs."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in set('aeiou') else 'a'} {name}"


def shown(value: object) -> str:
    """A value in a message: plain ones as they are, shortened, others by their class."""
    if type(value) in (int, float) or type(value) in NUMBERS:
        return f"{value:.10g}" if isinstance(value, float | np.floating) else str(value)
    if type(value) not in SCALARS:
        return named(value)
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def bounded(text: str, most: int) -> str:
    """
    The text itself, or where it is longer than `most`, at least 100, its beginning and a hash of the whole: two that
    differ anywhere differ here.
    """
    if len(text) <= most:
        return text
    kept = text[: min(SHOWN, max(most - 100, 0))]
    return f"{kept}… {len(text)} characters, sha256 {sha256(text.encode(errors='surrogatepass')).hexdigest()}"
