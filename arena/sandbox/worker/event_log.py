"""UNTRUSTED: records events in the worker while FreqTrade runs."""

import math
from collections.abc import Iterable

import numpy as np

from arena.decisions import FLOAT, HASH, MAX_TEXT, NAMES, TEXT, text_hash
from arena.sandbox.messages import MAX_TEXTS, pack


class EventLog:
    """The worker's list of events while FreqTrade runs."""

    def __init__(self, pairs: Iterable[str]) -> None:
        self.pairs = {pair: i for i, pair in enumerate(pairs)}
        self.names = {name: i for i, name in enumerate(NAMES)}
        self.rows: list[tuple[int, int, int, int, float]] = []
        self.texts: dict[str, int] = {}
        self.given: list[tuple[int, int]] | None = None
        """
        For each event two hashes of the callback's arguments: of numbers and texts, and of the trade's highest and
        lowest rate.
        """

    def note(self, time_ms: int, pair: str, name: str, answer: object, given: tuple[int, int] = (0, 0)) -> None:
        """Record `answer` as FreqTrade got it: numbers and texts by value, everything else by its printed form."""
        if self.given is not None:
            self.given.append(given)
        if type(answer) is float or (isinstance(answer, (int, float)) and not isinstance(answer, bool)):
            kind, value = FLOAT, _number(answer)
        else:
            kind, value = self._text(repr(answer))
        self.rows.append((time_ms, self.pairs.get(pair, -1), self.names[name], kind, value))

    def _text(self, text: str) -> tuple[int, float]:
        index = self.texts.get(text)
        if index is None and len(self.texts) < MAX_TEXTS and len(text) <= MAX_TEXT:
            index = self.texts[text] = len(self.texts)
        if index is not None:
            return TEXT, float(index)
        return HASH, float(text_hash(text))

    def take(self) -> dict:
        """Events since the last call, packed."""
        rows, self.rows = self.rows, []
        columns = list(zip(*rows, strict=True)) if rows else [()] * 5
        types = ("<i8", "<i2", "i1", "i1", "<f8")
        packed = [pack(np.array(column, dtype=kind)) for column, kind in zip(columns, types, strict=True)]
        return {"n": len(rows), "columns": packed, "texts": list(self.texts)}


def _number(answer: float) -> float:
    try:
        return float(answer)
    except OverflowError:  # an integer too large for a float
        return math.inf if answer > 0 else -math.inf
