"""
What was tried on the candles of an arena, whatever contract it was tried under: luck does not begin anew when a limit,
a gate, a window or a sentence of the code is changed.

Each contract's candles are described in the ledger: daily closes over the search range, and where the validation window
lies. Two contracts share candles when some pair of the one moves like some pair of the other on the days that they have
in common, whatever its name, its timeframe, and where the range begins or ends. Of a contract that was never described
the source alone is known.

Not covered: candles that were changed until they look like another market, and what was tried in another checkout.
"""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.ledger.store import EVALUATION, LIMIT, LOOK, UNFINISHED, Ledger, Row
from arena.market.candle_tables import Tables
from arena.records import Look
from arena.stats.metrics import DAY_MS
from arena.stats.significance import MIN_DAYS

COMMON_DAYS = 30
"""
Fewest days on which two ranges must have candles of one market to share their luck; all of the shorter one, if it has
fewer.
"""
SAME_NAME, OTHER_NAME = 0.9, 0.99
"""
Correlation of daily returns from which two pairs are one market. Spot and futures of one coin have above 0.999 over
three months, two coins at most 0.987 in any month of 2020 to 2026.
"""


@dataclass(frozen=True, slots=True)
class Candles:
    """What identifies the candles of a contract. Days are counted from 1970-01-01, UTC."""

    pairs: tuple[str, ...]
    source: str  # label
    first: int  # day of the search range
    # (n_pairs, n_days) last close of each day of the search range; nan where no candle closes
    closes: NDArray[np.float32]
    validation: tuple[int, int] | None  # from day to day, the end excluded
    sealed: str  # hash of the validation window's candles

    @property
    def end(self) -> int:
        return self.first + self.closes.shape[1]


class Placed(NamedTuple):
    """Daily returns of other contracts' trials, moved to the days of the own range: rows of shape (n_days,)."""

    whole: list[NDArray[np.float64]]  # of every day
    filled: list[NDArray[np.float64]]  # of some days


@dataclass(frozen=True, slots=True)
class Tried:
    """Everything that was tried on one contract's candles."""

    # by source: daily returns; None without any
    own: dict[str, NDArray[np.float64] | None] = field(default_factory=dict)
    elsewhere: dict[str, tuple[int, NDArray[np.float64]] | None] = field(default_factory=dict)
    """
    Sources that only other contracts have: daily returns, and at which day of the own range they begin; None without
    any.
    """
    looks: tuple[Look, ...] = ()  # at validation candles of this contract
    lost: int = 0  # sources that were tried, in entries that the ledger has lost

    def placed(self, n_days: int, *, apart: str = "") -> Placed:
        """Returns of the sources in `elsewhere` but `apart` over the first `n_days` of the own range."""
        rows = [
            shifted(*found, n_days)
            for sha, found in self.elsewhere.items()
            if found is not None and sha not in self.own and sha != apart
        ]
        known = [int(np.isfinite(row).sum()) for row in rows]
        whole = [row for row, days in zip(rows, known, strict=True) if days == n_days]
        return Placed(whole, [filled(row) for row, days in zip(rows, known, strict=True) if MIN_DAYS <= days < n_days])

    def others(self, apart: str = "") -> int:
        """How many sources count beside those of the contract itself and `apart`."""
        return len(self.elsewhere.keys() - self.own.keys() - {apart}) + self.lost

    @property
    def count(self) -> int:
        return len(self.own) + self.others()


def shifted(at: int, returns: NDArray[np.float64], n_days: int) -> NDArray[np.float64]:
    """(n_days,) `returns` that begin at day `at` of the range, which may be before it; nan elsewhere."""
    row = np.full(n_days, np.nan)
    first, last = max(at, 0), min(at + len(returns), n_days)
    if first < last:
        row[first:last] = returns[first - at : last - at]
    return row


def filled(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    With its mean on the days that it lacks. They say nothing there: the fewer days it has, the less it is like any
    other trial.
    """
    return np.where(np.isfinite(row), row, np.mean(row[np.isfinite(row)]))


def candles_of(arena: dict[str, Any], tables: Tables, sealed: str) -> Candles:
    """From the part of a lock that says which candles there are, and the candles in the clear."""
    first, end = _days(arena["ranges"]["search"])
    validation = arena["ranges"].get("validation")
    pairs = tuple(arena["pairs"])
    closes = np.full((len(pairs), end - first), np.nan, dtype=np.float32)
    for row, pair in zip(closes, pairs, strict=True):
        table = tables[pair]
        closed = table[:, 0] + _step(table)
        days = (closed // DAY_MS).astype(np.int64) - 1 - first
        inside = (closed % DAY_MS == 0) & (days >= 0) & (days < end - first)
        row[days[inside]] = table[inside, 4]
    return Candles(pairs, arena["source"], first, closes, _days(validation) if validation else None, sealed)


def _step(table: NDArray[np.float64]) -> float:
    """Milliseconds from one candle to the next."""
    return float(np.diff(table[:, 0]).min()) if len(table) > 1 else DAY_MS


def _days(text: str) -> tuple[int, int]:
    """Of a range as a lock has it, for example 20210101-20240101."""
    first, end = (
        datetime.strptime(day, "%Y%m%d").toordinal() - datetime(1970, 1, 1).toordinal() for day in text.split("-")
    )
    return first, end


def described(ledger: Ledger) -> dict[str, Candles]:
    """By contract, as far as the ledger knows."""
    found = {}
    for row in ledger.contracts():
        told = json.loads(row.result).get("candles")
        if told:
            closes = np.frombuffer(base64.b64decode(told["closes"]), dtype="<f4").reshape(len(told["pairs"]), -1)
            validation = tuple(told["validation"]) if told["validation"] else None
            found[row.contract] = Candles(
                tuple(told["pairs"]), told["source"], told["first"], closes, validation, told["sealed"]
            )
    return found


def description(candles: Candles) -> dict[str, Any]:
    """As the ledger keeps it."""
    closes = base64.b64encode(candles.closes.astype("<f4").tobytes()).decode()
    return {name: getattr(candles, name) for name in Candles.__slots__} | {"closes": closes}


def share_search(a: Candles, b: Candles) -> bool:
    """Whether the two search ranges have days of one market in common."""
    first, end = max(a.first, b.first), min(a.end, b.end)
    needed = min(COMMON_DAYS, a.closes.shape[1], b.closes.shape[1])
    if end - first < needed:
        return False
    here, there = a.closes[:, first - a.first : end - a.first], b.closes[:, first - b.first : end - b.first]
    pairs = sorted(
        ((i, j) for i in range(len(here)) for j in range(len(there))), key=lambda ij: a.pairs[ij[0]] != b.pairs[ij[1]]
    )
    return any(
        _one_market(here[i], there[j], needed, SAME_NAME if a.pairs[i] == b.pairs[j] else OTHER_NAME) for i, j in pairs
    )


def _one_market(a: NDArray[np.float32], b: NDArray[np.float32], needed: int, least: float) -> bool:
    """Of closes of the same days. Where candles are longer than a day, fewer closes fill as many days."""
    both = np.flatnonzero((a > 0) & (b > 0))
    if len(both) < 3 or both[-1] - both[0] + 1 < needed:
        return False
    x, y = (np.diff(np.log(row[both].astype(np.float64))) for row in (a, b))
    if not (x.std() > 0 and y.std() > 0):
        return bool(np.array_equal(a[both], b[both]))
    return bool(np.corrcoef(x, y)[0, 1] >= least)


def share_validation(a: Candles, b: Candles) -> bool:
    """
    Whether the two validation windows have days of one market in common; its candles are sealed, the search range tells
    the market.
    """
    if a.validation is None or b.validation is None:
        return False
    if a.sealed == b.sealed:
        return True
    if max(a.validation[0], b.validation[0]) >= min(a.validation[1], b.validation[1]):
        return False
    apart = min(a.end, b.end) - max(a.first, b.first) < min(COMMON_DAYS, a.closes.shape[1], b.closes.shape[1])
    return share_search(a, b) or (apart and a.source == b.source and bool({*a.pairs} & {*b.pairs}))


def on_candles_of(ledger: Ledger, contract: str) -> Tried:
    """What the ledger has tried on the candles of this contract."""
    known, rows = described(ledger), ledger.tries()
    here = known.get(contract)
    labels = {row.contract: _source(row) for row in rows if row.error_kind != UNFINISHED and row.contract not in known}
    label = here.source if here else labels.get(contract, "")

    def alike(other: str, share: Any) -> bool:
        there = known.get(other)
        return other == contract or (
            share(here, there) if here and there else (there.source if there else labels.get(other, "")) == label
        )

    others = {row.contract for row in rows}
    searched = {other for other in others if alike(other, share_search)}
    looked = {other for other in others if alike(other, share_validation)}
    own: dict[str, NDArray[np.float64] | None] = {}
    elsewhere: dict[str, tuple[int, NDArray[np.float64]] | None] = {}
    for row in rows:
        if row.contract == contract:
            _keep(own, row.sha256, np.frombuffer(row.data, dtype="<f8") if row.data else None, row.error_kind)
        elif row.contract in searched:
            there = known.get(row.contract)
            placed = (
                (there.first - here.first, np.frombuffer(row.data, dtype="<f8"))
                if here and there and row.data
                else None
            )
            _keep(elsewhere, row.sha256, placed, row.error_kind)
    return Tried(own, elsewhere, tuple(_looks([row for row in rows if row.contract in looked])), _lost(ledger))


def _keep(kept: dict[str, Any], sha256: str, value: Any, error_kind: str) -> None:
    """
    The newest evaluation of each source, in the order in which they first came; one without an end, or that met a
    limit, says nothing new.
    """
    if sha256 not in kept or error_kind not in (UNFINISHED, LIMIT):
        kept[sha256] = value


def _looks(rows: Sequence[Row]) -> list[Look]:
    """Answers of the validation window, and looks that were begun and had no end: what came of those is not known."""
    found: list[Look] = []
    begun: dict[tuple[str, str], str] = {}
    for row in rows:
        key, told = (row.contract, row.sha256), json.loads(row.result)
        if row.error_kind == UNFINISHED:
            if begun.get(key) != LOOK:
                begun[key] = told["begun"]
        elif told["look"]["asked"]:
            begun.pop(key, None)
            found.append(Look(**told["look"]))
        elif begun.get(key) != LOOK:
            begun.pop(key, None)
    return [*found, *(Look(asked=True, best=math.nan) for what in begun.values() if what != EVALUATION)]


def _source(row: Row) -> str:
    return json.loads(row.result).get("source", "")


def _lost(ledger: Ledger) -> int:
    return sum(json.loads(row.result).get("trials", 0) for row in ledger.contracts() if '"lost"' in row.result)
