"""
What share of a proposed stake custom_stake_amount answers, candle by candle, in the worker: with it a replay knows the
stakes of a strategy that decides nothing else on the way.

It is asked in a worker in which FreqTrade's loop never runs, as it is later asked without the future: what an answer
makes of the loop's state shows in a replay that differs. The strategy is shown what FreqTrade shows where no trade is
open. Proposed are powers of two: their product with a share is exact, so that the share is found to the last bit. The
limits lie so far off that no clamp to them acts; whether the strategy clamps, and whether its shares are those of
FreqTrade's run, the trusted process finds out by a replay of the whole range. Whether it is asked hangs on its source
and the number of candles alone.

Not covered: stakes that follow from open trades, from the account or from what was asked before: there the replay
differs. Calls that take long here alone end at the worker's limit.
"""

import contextlib
import io
import math
import re
from datetime import timedelta
from typing import Any, NamedTuple

from freqtrade.optimize.backtesting import DATE_IDX, ENTER_TAG_IDX, OPEN_IDX, Backtesting

from arena.sandbox.messages import MAX_STAKES

PARTS = (2.0**-6, 1.0)
"""
What is proposed, as parts of the wallet at the start, or rather of the next power of two: a floor shows at one, a cap
at the other.
"""
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
    rows: list[Any]  # of the loop, those that are asked about, ascending


def most(source: str) -> int:
    """At how many candles the strategy of this source is asked, at most."""
    return MOST_WITH_FRAMES if re.search(r"\bdp\b", source) else MAX_STAKES


def told(bt: Backtesting, candidates: dict[str, Candidates], at_most: int) -> dict[str, dict[str, list[Any]]] | None:
    """
    The fields of claims.Stakes by pair, in FreqTrade's order of the pairs; None where there are more candles than
    `at_most`.

    The loop's last candle is asked too, where nobody enters: signals that are shifted in time may stand elsewhere.
    """
    entries = [
        (int(row[DATE_IDX].timestamp() * 1000), number, pair, row)
        for number, (pair, own) in enumerate(candidates.items())
        for row in own.rows
    ]
    if len(entries) > at_most:
        return None
    found: dict[str, dict[str, list[Any]]] = {pair: {"open_ms": [], "scale": []} for pair in candidates}
    nowhere = _Nowhere()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for at_ms, number, pair, row in sorted(entries, key=lambda entry: entry[:2]):
            _show(bt, candidates, row, at_ms, number)
            found[pair]["open_ms"].append(at_ms)
            found[pair]["scale"].append(_share(bt, pair, row))
    return found


def _show(bt: Backtesting, candidates: dict[str, Candidates], row: Any, at_ms: int, number: int) -> None:
    """
    Let the data provider show a candle as to the pair of this number: those before it are there already, those after it
    not yet.
    """
    provider, step_ms = bt.dataprovider, bt.timeframe_td // timedelta(milliseconds=1)
    provider._DataProvider__slice_index.clear()  # a pair that has not begun shows nothing
    for k, (pair, own) in enumerate(candidates.items()):
        reached = (at_ms - own.begun_ms) // step_ms + (k <= number) if own.n else 0
        if reached > 0:
            provider._set_dataframe_max_index(pair, bt.required_startup + min(reached, own.n))
    provider._set_dataframe_max_date(row[DATE_IDX].to_pydatetime())


def _share(bt: Backtesting, pair: str, row: Any) -> float | None:
    """
    What is answered over what is proposed, where that is one number for all proposals, finite and not negative; else
    None.
    """
    wallet = 2.0 ** math.ceil(math.log2(bt.starting_balance))
    proposed, shares = [wallet * part for part in PARTS], []
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
        except BaseException:  # what is raised here is no fault: FreqTrade's loop says what is
            return None
    one = all(map(math.isfinite, shares)) and min(shares) >= 0 and max(shares) - min(shares) <= SAME * max(shares)
    return shares[0] if one else None
