"""
What share of a proposed stake custom_stake_amount answers, candle by candle, in the worker: with it a replay knows the stakes of
a strategy that decides nothing else on the way.

It is asked after FreqTrade's run and its checks, of which nothing changes any more. The strategy is shown what FreqTrade shows where
no trade is open. Proposed are powers of two: their product with a share is exact, so that the share is found to the last
bit. The limits lie so far off that no clamp to them acts; whether the strategy clamps, and whether its shares are those of the
run, the trusted process finds out by a replay. Whether it is asked hangs on its source and the number of candles alone.

Not covered: stakes that follow from open trades, from the account or from what was asked before: where that shows in
FreqTrade's run, the replay differs. Where that run covers a part of the range, it would not show elsewhere: so a source that names the
wallet, trades or frames has a run of the whole range, and so has one whose shares are others for a proposal far below or above the wallet, or
when a copy of the process is asked in another order. Calls that take long here alone end at the worker's limit.
"""

import contextlib
import io
import json
import math
import os
import re
from collections.abc import Callable
from datetime import timedelta
from random import SystemRandom
from typing import Any, NamedTuple

from freqtrade.optimize.backtesting import DATE_IDX, ENTER_TAG_IDX, OPEN_IDX, Backtesting

from arena.claims import MAX_STAKES

PARTS, FAR_PARTS = (2.0**-6, 1.0), (2.0**-12, 1.0, 2.0**12)
"""What is proposed, as parts of the wallet at the start, or rather of the next power of two: a floor shows at one, a cap at the other."""
AGAIN = 1000
"""At most so many candles are asked about in another order."""
_FRAMES, _STATE = re.compile(r"\bdp\b"), re.compile(r"\b(wallets|Trade|LocalTrade|PairLocks)\s*[.(\[]")
"""How a source reads frames of the data provider, and what changes while FreqTrade trades."""
FAR = 2.0**20
"""By which the limits lie below the smallest of what is proposed, and above the largest."""
MOST_WITH_FRAMES = 5000
"""At no more candles is a strategy asked that reads frames of the data provider, which takes thirty times as long."""
SAME = 1e-9
"""Shares that are closer than this, relative, are one."""


class _Nowhere(io.TextIOBase):
    """What is printed counts towards no limit."""

    def write(self, text: str) -> int:
        return len(text)


class Candidates(NamedTuple):
    """Candles in which one pair may enter."""

    begun_ms: int  # open time of its first candle in FreqTrade's loop
    n: int  # of its candles there
    rows: list[Any]  # of the loop, ascending


def most(source: str) -> int:
    """At how many candles the strategy of this source is asked, at most."""
    return MOST_WITH_FRAMES if _FRAMES.search(source) else MAX_STAKES


def in_part(source: str) -> bool:
    """
    Whether a part of the range may show what the shares of this source are: it names nothing that changes while FreqTrade trades, and
    no frames, where to ask so often takes as long as FreqTrade's loop.
    """
    return not _FRAMES.search(source) and not _STATE.search(source)


def told(
    bt: Backtesting, candidates: dict[str, Candidates], at_most: int, between: list[list[int]] | None = None, *, part: bool = False
) -> dict[str, dict[str, list[Any]]] | None:
    """
    The fields of claims.Stakes by pair, in FreqTrade's order of the pairs, of the candles that open from the one instant to the other
    of a span (all where none is given); None where there are more candles than `at_most`. With `part`, where FreqTrade's run covers a
    part of the range, also None where shares follow from more than the candles.

    The loop's last candle is asked too, where nobody enters: signals that are shifted in time may stand elsewhere.
    """
    entries = [
        (at_ms, number, pair, row)
        for number, (pair, own) in enumerate(candidates.items())
        for row in own.rows
        for at_ms in [int(row[DATE_IDX].timestamp() * 1000)]
        if between is None or any(since <= at_ms <= until for since, until in between)
    ]
    if len(entries) > at_most:
        return None
    entries.sort(key=lambda entry: entry[:2])
    chosen = SystemRandom().sample(range(len(entries)), min(AGAIN, len(entries))) if part else []
    reader, child = _copy(lambda: _shares(bt, candidates, [entries[k] for k in chosen], FAR_PARTS)) if part else (None, 0)
    found: dict[str, dict[str, list[Any]]] = {pair: {"open_ms": [], "scale": []} for pair in candidates}
    shares = _shares(bt, candidates, entries, FAR_PARTS if part else PARTS)
    for (at_ms, _, pair, _), share in zip(entries, shares, strict=True):
        found[pair]["open_ms"].append(at_ms)
        found[pair]["scale"].append(share)
    if reader is not None and (None in shares or _heard(reader, child) != [shares[k] for k in chosen]):
        return None
    return found


def _copy(ask: Callable[[], list[float | None]]) -> tuple[int, int]:
    """A copy of this process that asks and writes: where its answer is read, and its number."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return reader, child
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(json.dumps(ask()).encode())
    finally:
        os._exit(0)


def _heard(reader: int, child: int) -> Any:
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else None


def _shares(bt: Backtesting, candidates: dict[str, Candidates], entries: list[Any], parts: tuple[float, ...]) -> list[float | None]:
    nowhere, found = _Nowhere(), []
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for at_ms, number, pair, row in entries:
            _show(bt, candidates, row, at_ms, number)
            found.append(_share(bt, pair, row, parts))
    return found


def _show(bt: Backtesting, candidates: dict[str, Candidates], row: Any, at_ms: int, number: int) -> None:
    """Let the data provider show a candle as to the pair of this number: those before it are there already, those after it not yet."""
    provider, step_ms = bt.dataprovider, bt.timeframe_td // timedelta(milliseconds=1)
    provider._DataProvider__slice_index.clear()  # a pair that has not begun shows nothing
    for k, (pair, own) in enumerate(candidates.items()):
        reached = (at_ms - own.begun_ms) // step_ms + (k <= number) if own.n else 0
        if reached > 0:
            provider._set_dataframe_max_index(pair, bt.required_startup + min(reached, own.n))
    provider._set_dataframe_max_date(row[DATE_IDX].to_pydatetime())


def _share(bt: Backtesting, pair: str, row: Any, parts: tuple[float, ...]) -> float | None:
    """What is answered over what is proposed, where that is one number for all proposals, finite and not negative; else None."""
    wallet = 2.0 ** math.ceil(math.log2(bt.starting_balance))
    proposed, shares = [wallet * part for part in parts], []
    for stake in proposed:
        try:
            answer = bt.strategy.custom_stake_amount(
                pair=pair,
                current_time=row[DATE_IDX].to_pydatetime(),
                current_rate=row[OPEN_IDX],
                proposed_stake=stake,
                min_stake=proposed[0] / FAR,
                max_stake=proposed[-1] * FAR,
                leverage=1.0,
                entry_tag=row[ENTER_TAG_IDX],
                side="long",
            )
            shares.append(float(answer) / stake)
        except BaseException:  # FreqTrade's run is over and stands, whatever is raised here
            return None
    one = all(map(math.isfinite, shares)) and 0 <= min(shares) and max(shares) - min(shares) <= SAME * max(shares)
    return shares[0] if one else None
