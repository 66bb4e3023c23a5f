"""Text for people: shows a strategy's text in one printable line, and joins lists of names."""

from collections.abc import Iterable

MAX_LINE = 400
"""Longest text of a strategy that a line shows; the rest is cut."""


def printable(text: str, width: int = MAX_LINE) -> str:
    """One line of visible characters, so that no name or error text of a strategy can forge a block."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(line.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
