"""
Measures, candle by candle, which share of a proposed stake custom_stake_amount answers, in the worker. With it a replay
knows the stakes of a strategy that decides nothing else during the loop.

FreqTrade's loop never runs in this worker, as in the later check without the future; if an answer depends on the loop's
state, the replay differs. The strategy sees what FreqTrade shows it when no trade is open. We propose power-of-two
stakes so that the ratio is exact, with limits too wide to clamp. A replay of the whole range shows the trusted process
whether the strategy clamps, and whether its shares are those of FreqTrade's run. Whether we ask depends only on the
source and the number of candles.

Not covered: stakes that depend on open trades, on the account or on earlier calls; there the replay differs. Calls that
are slow only here end at the worker's limit.
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
Proposed stakes as fractions of the starting wallet, rounded up to a power of two: a floor shows at the first, a cap at
the second.
"""
FAR = 2.0**20
"""Factor between the limits and the smallest and largest proposed stake."""
MOST_WITH_FRAMES = 5000
"""Limit of candles for a strategy that reads frames of the data provider, which takes thirty times as long."""
SAME = 1e-9
"""Shares that differ by less than this, relative, are the same."""


class _Nowhere(io.TextIOBase):
    """Discards printed text, so that it counts towards no limit."""

    def write(self, text: str) -> int:
        return len(text)


class Candidates(NamedTuple):
    """Candles in which one pair may enter."""

    begun_ms: int  # open time of the pair's first candle in FreqTrade's loop
    n: int  # number of its candles there
    rows: list[Any]  # rows of the loop that we ask about, ascending


def most(source: str) -> int:
    """The largest number of candles at which we ask a strategy with this source."""
    return MOST_WITH_FRAMES if re.search(r"\bdp\b", source) else MAX_STAKES


def told(bt: Backtesting, candidates: dict[str, Candidates], at_most: int) -> dict[str, dict[str, list[Any]]] | None:
    """
    The fields of decisions.Stakes by pair, in FreqTrade's order of the pairs; None where there are more than `at_most`
    candles.

    We also ask at the loop's last candle, where no trade can open: signals that are shifted in time may stand
    elsewhere.
    """
    entries = [
        (int(row[DATE_IDX].timestamp() * 1000), number, pair, row)
        for number, (pair, candidate) in enumerate(candidates.items())
        for row in candidate.rows
    ]
    if len(entries) > at_most:
        return None
    stakes: dict[str, dict[str, list[Any]]] = {pair: {"open_ms": [], "scale": []} for pair in candidates}
    nowhere = _Nowhere()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for at_ms, number, pair, row in sorted(entries, key=lambda entry: entry[:2]):
            _show(bt, candidates, row, at_ms, number)
            stakes[pair]["open_ms"].append(at_ms)
            stakes[pair]["scale"].append(_share(bt, pair, row))
    return stakes


def _show(bt: Backtesting, candidates: dict[str, Candidates], row: Any, at_ms: int, number: int) -> None:
    """
    Let the data provider show a candle as the pair with this number sees it: earlier pairs show the candle already,
    later ones do not.
    """
    provider, step_ms = bt.dataprovider, bt.timeframe_td // timedelta(milliseconds=1)
    provider._DataProvider__slice_index.clear()  # a pair whose candles have not begun shows nothing
    for k, (pair, candidate) in enumerate(candidates.items()):
        reached = (at_ms - candidate.begun_ms) // step_ms + (k <= number) if candidate.n else 0
        if reached > 0:
            provider._set_dataframe_max_index(pair, bt.required_startup + min(reached, candidate.n))
    provider._set_dataframe_max_date(row[DATE_IDX].to_pydatetime())


def _share(bt: Backtesting, pair: str, row: Any) -> float | None:
    """
    Answer divided by proposal, where that is the same number for all proposals, finite and not negative; else None.
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
        except BaseException:  # an error here is no failure of the strategy; FreqTrade's loop decides what is
            return None
    is_one_share = (
        all(map(math.isfinite, shares)) and min(shares) >= 0 and max(shares) - min(shares) <= SAME * max(shares)
    )
    return shares[0] if is_one_share else None
