"""
What was tried on the candles of an arena under any contract: a changed limit, gate, window or line of code does not
reset the number of trials.

Each contract's candles are described in the ledger: daily closes over the search range, and where the validation window
lies. Two contracts share candles when some pair of the one moves like some pair of the other on their common days,
whatever its name, its timeframe, and where the range begins or ends. For a contract that was never described we know
only the source.

Not covered: candles that were changed to look like another market, and trials in another checkout.
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
Two ranges share their trials if they have at least this many days of one market in common; all days of the shorter one,
if it has fewer.
"""
SAME_NAME, OTHER_NAME = 0.9, 0.99
"""
Correlation of daily returns above which two pairs are one market. Spot and futures of one coin have more than 0.999
over three months, two coins at most 0.987 in any month of 2020 to 2026.
"""


@dataclass(frozen=True, slots=True)
class Candles:
    """Identifies the candles of a contract. Days are counted from 1970-01-01, UTC."""

    pairs: tuple[str, ...]
    source: str  # label
    first: int  # day of the search range
    # (n_pairs, n_days) last close of each day of the search range; nan where no candle closes
    closes: NDArray[np.float32]
    validation: tuple[int, int] | None  # first day, and the day after the last
    sealed: str  # hash of the validation window's candles

    @property
    def end(self) -> int:
        return self.first + self.closes.shape[1]


class Placed(NamedTuple):
    """Daily returns of other contracts' trials, aligned to the days of the own range: rows of shape (n_days,)."""

    whole: list[NDArray[np.float64]]  # known for every day
    filled: list[NDArray[np.float64]]  # known for some days only, the rest filled


@dataclass(frozen=True, slots=True)
class Tried:
    """Everything tried on one contract's candles."""

    # by source: daily returns; None for a source without returns
    own: dict[str, NDArray[np.float64] | None] = field(default_factory=dict)
    elsewhere: dict[str, tuple[int, NDArray[np.float64]] | None] = field(default_factory=dict)
    """
    Sources that only other contracts have: the day of the own range at which returns begin, and daily returns; None for
    a source without returns.
    """
    looks: tuple[Look, ...] = ()  # looks at validation candles of this contract
    lost: int = 0  # sources tried in entries that the ledger has lost

    def placed(self, n_days: int, *, apart: str = "") -> Placed:
        """Returns of the sources in `elsewhere`, except `apart`, over the first `n_days` of the own range."""
        rows = [
            shifted(*entry, n_days)
            for sha256, entry in self.elsewhere.items()
            if entry is not None and sha256 not in self.own and sha256 != apart
        ]
        n_known = [int(np.isfinite(row).sum()) for row in rows]
        whole = [row for row, days in zip(rows, n_known, strict=True) if days == n_days]
        return Placed(
            whole, [filled(row) for row, days in zip(rows, n_known, strict=True) if MIN_DAYS <= days < n_days]
        )

    def others(self, apart: str = "") -> int:
        """How many sources count in addition to those of the contract itself and `apart`."""
        return len(self.elsewhere.keys() - self.own.keys() - {apart}) + self.lost

    @property
    def count(self) -> int:
        return len(self.own) + self.others()


def shifted(at: int, returns: NDArray[np.float64], n_days: int) -> NDArray[np.float64]:
    """(n_days,) `returns` placed from day `at` of the range on (`at` may be negative); nan elsewhere."""
    row = np.full(n_days, np.nan)
    first, last = max(at, 0), min(at + len(returns), n_days)
    if first < last:
        row[first:last] = returns[first - at : last - at]
    return row


def filled(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    The row with missing days set to its mean. They carry no information: with fewer known days it resembles other
    trials less.
    """
    return np.where(np.isfinite(row), row, np.mean(row[np.isfinite(row)]))


def candles_of(arena: dict[str, Any], tables: Tables, sealed: str) -> Candles:
    """Candles from the part of a lock that determines them, and the unsealed tables."""
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
    """First and end day of a range as a lock writes it, for example 20210101-20240101."""
    first, end = (
        datetime.strptime(day, "%Y%m%d").toordinal() - datetime(1970, 1, 1).toordinal() for day in text.split("-")
    )
    return first, end


def described(ledger: Ledger) -> dict[str, Candles]:
    """Candles by contract, as far as the ledger describes them."""
    candles_by_contract = {}
    for row in ledger.contracts():
        fields = json.loads(row.result).get("candles")
        if fields:
            closes = np.frombuffer(base64.b64decode(fields["closes"]), dtype="<f4").reshape(len(fields["pairs"]), -1)
            validation = tuple(fields["validation"]) if fields["validation"] else None
            candles_by_contract[row.contract] = Candles(
                tuple(fields["pairs"]), fields["source"], fields["first"], closes, validation, fields["sealed"]
            )
    return candles_by_contract


def description(candles: Candles) -> dict[str, Any]:
    """The candles in the form that the ledger stores."""
    closes = base64.b64encode(candles.closes.astype("<f4").tobytes()).decode()
    return {name: getattr(candles, name) for name in Candles.__slots__} | {"closes": closes}


def share_search(a: Candles, b: Candles) -> bool:
    """Whether the two search ranges have days of one market in common."""
    first, end = max(a.first, b.first), min(a.end, b.end)
    needed = min(COMMON_DAYS, a.closes.shape[1], b.closes.shape[1])
    if end - first < needed:
        return False
    a_closes, b_closes = a.closes[:, first - a.first : end - a.first], b.closes[:, first - b.first : end - b.first]
    pairs = sorted(
        ((i, j) for i in range(len(a_closes)) for j in range(len(b_closes))),
        key=lambda numbers: a.pairs[numbers[0]] != b.pairs[numbers[1]],
    )
    return any(
        _one_market(a_closes[i], b_closes[j], needed, SAME_NAME if a.pairs[i] == b.pairs[j] else OTHER_NAME)
        for i, j in pairs
    )


def _one_market(a: NDArray[np.float32], b: NDArray[np.float32], needed: int, least: float) -> bool:
    """
    Whether closes of the same days are of one market. Where candles are longer than a day, fewer closes span as many
    days.
    """
    common = np.flatnonzero((a > 0) & (b > 0))
    if len(common) < 3 or common[-1] - common[0] + 1 < needed:
        return False
    a_returns, b_returns = (np.diff(np.log(row[common].astype(np.float64))) for row in (a, b))
    if not (a_returns.std() > 0 and b_returns.std() > 0):
        return bool(np.array_equal(a[common], b[common]))
    return bool(np.corrcoef(a_returns, b_returns)[0, 1] >= least)


def share_validation(a: Candles, b: Candles) -> bool:
    """
    Whether the two validation windows have days of one market in common. Their candles are sealed, so the search ranges
    identify the market.
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
    """Everything that the ledger records as tried on the candles of this contract."""
    candles_by_contract, rows = described(ledger), ledger.tries()
    own_candles = candles_by_contract.get(contract)
    labels = {
        row.contract: _source(row)
        for row in rows
        if row.error_kind != UNFINISHED and row.contract not in candles_by_contract
    }
    label = own_candles.source if own_candles else labels.get(contract, "")

    def alike(other: str, share: Any) -> bool:
        other_candles = candles_by_contract.get(other)
        return other == contract or (
            share(own_candles, other_candles)
            if own_candles and other_candles
            else (other_candles.source if other_candles else labels.get(other, "")) == label
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
            other_candles = candles_by_contract.get(row.contract)
            placed = (
                (other_candles.first - own_candles.first, np.frombuffer(row.data, dtype="<f8"))
                if own_candles and other_candles and row.data
                else None
            )
            _keep(elsewhere, row.sha256, placed, row.error_kind)
    return Tried(own, elsewhere, tuple(_looks([row for row in rows if row.contract in looked])), _lost(ledger))


def _keep(kept: dict[str, Any], sha256: str, value: Any, error_kind: str) -> None:
    """
    Keep the newest evaluation of each source, in the order of first appearance; an unfinished one or one that met a
    limit does not replace another.
    """
    if sha256 not in kept or error_kind not in (UNFINISHED, LIMIT):
        kept[sha256] = value


def _looks(rows: Sequence[Row]) -> list[Look]:
    """Answers of the validation window, and looks that began and never ended, whose results are unknown."""
    looks: list[Look] = []
    begun: dict[tuple[str, str], str] = {}
    for row in rows:
        key, result = (row.contract, row.sha256), json.loads(row.result)
        if row.error_kind == UNFINISHED:
            if begun.get(key) != LOOK:
                begun[key] = result["begun"]
        elif result["look"]["asked"]:
            begun.pop(key, None)
            looks.append(Look(**result["look"]))
        elif begun.get(key) != LOOK:
            begun.pop(key, None)
    return [*looks, *(Look(asked=True, best=math.nan) for stage in begun.values() if stage != EVALUATION)]


def _source(row: Row) -> str:
    return json.loads(row.result).get("source", "")


def _lost(ledger: Ledger) -> int:
    return sum(json.loads(row.result).get("trials", 0) for row in ledger.contracts() if '"lost"' in row.result)
