"""
Plain values: numbers, texts, True, False, None, and lists, tuples and dicts of them, of exactly these types. Pure.

Other types can define their own behaviour: a subclass of float may compare differently than it prints. FreqTrade reads
only plain values from a strategy, so the values that we compare are the values that decide.
"""

from enum import Enum
from hashlib import sha256
from typing import Any

import numpy as np

SCALARS = frozenset({type(None), bool, int, float, str})
NUMBERS = frozenset(kind for kind in np.sctypeDict.values() if issubclass(kind, np.bool_ | np.integer | np.floating))
"""Types of numpy's scalars."""
MAX_DEPTH = 12
SHOWN = 200
"""Characters that we keep of a text that is too long."""


class NotPlain(ValueError):
    """The value is not plain; the message says what it is."""


def copy(value: Any, depth: int = MAX_DEPTH) -> Any:
    """A deep copy of the value in Python's own types. Raises NotPlain."""
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
    """A plain str from a str, a numpy str, or a member of an enumeration of texts. None for everything else."""
    if type(value) is str:
        return value
    return (
        str.__str__(value) if type(value) is np.str_ or (isinstance(value, str) and isinstance(value, Enum)) else None
    )


def named(value: object) -> str:
    """A description of a value for a message, without running code of its class."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in set('aeiou') else 'a'} {name}"


def shown(value: object) -> str:
    """A value as a message shows it: plain ones themselves, shortened; others by their class."""
    if type(value) in (int, float) or type(value) in NUMBERS:
        return f"{value:.10g}" if isinstance(value, float | np.floating) else str(value)
    if type(value) not in SCALARS:
        return named(value)
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def bounded(text: str, most: int) -> str:
    """
    The text itself, or, where it is longer than `most` (at least 100), its beginning and a hash of the whole, so that
    different texts stay different.
    """
    if len(text) <= most:
        return text
    beginning = text[: min(SHOWN, max(most - 100, 0))]
    return f"{beginning}… {len(text)} characters, sha256 {sha256(text.encode(errors='surrogatepass')).hexdigest()}"
