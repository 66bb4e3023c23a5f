"""Hints for a person: what is odd about an account, and why there is none. Pure."""

import numpy as np

from arena.records import Book, Claim
from arena.settings import Settings
from arena.stats import metrics

LATE_SIGNAL_DAYS = 30
"""
A first signal later than this after the first window's start, with an indicator undefined until then, is a warning.
"""


def warnings(claim: Claim, book: Book, settings: Settings, differs: str) -> tuple[str, ...]:
    """`differs` says where the replay differs from FreqTrade's loop, and is empty if it does not."""
    messages = [f"the replay does not agree with FreqTrade's loop: {differs}"] if differs else []
    late = settings.search.start_ms + LATE_SIGNAL_DAYS * metrics.DAY_MS
    if (
        claim.warmup
        and claim.warmup_ms is not None
        and claim.warmup_ms > late
        and (claim.first_signal_ms or late + 1) > late
    ):
        days = (claim.warmup_ms - settings.search.start_ms) / metrics.DAY_MS
        messages.append(
            f"no signal was possible in the first {days:.0f} days: {claim.warmup} has no value before "
            f"{_day(claim.warmup_ms)}. "
            "Shorten it, or let arena.warmup_from begin earlier"
        )
    if book.open_profit:
        messages.append(
            f"positions worth {book.open_profit:+.2f} of open profit never closed; they are valued at the last open"
        )
    return tuple(messages)


def no_trades(claim: Claim, settings: Settings) -> str:
    """Returns why there is no account, as far as signals and indicators show."""
    if claim.first_signal_ms is not None:
        return (
            f"no trades: there are entry signals from {_day(claim.first_signal_ms)} on, but no entry was filled "
            f"(stake, price or confirmation refuse)"
        )
    none = "no trades: no entry signal in any pair"
    if claim.warmup and claim.warmup_ms is not None and claim.warmup_ms > settings.search.start_ms:
        return f"{none}; {claim.warmup} has no value before {_day(claim.warmup_ms)}"
    return none


def _day(ms: int) -> str:
    return str(np.datetime64(ms, "ms"))[:10]
