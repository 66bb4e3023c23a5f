"""Text for people: what a strategy wrote is shown in one printable line; lists of names are joined."""

from collections.abc import Iterable

MAX_LINE = 400
"""Longest text of a strategy's own making that a line shows; the rest is cut."""


def printable(text: str, width: int = MAX_LINE) -> str:
    """One line of visible characters: what a strategy names or raises must not be able to forge a block."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
