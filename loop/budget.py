"""When a run ends by itself. Pure: takes what was agreed and what was spent, returns the reason."""

import math
from dataclasses import dataclass

from loop.protocol import Usage

STOPS = ("accepted",)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a start of a run may spend. None: no limit."""

    rounds: int | None = None  # of this start, skipped ones included
    minutes: float | None = None  # of this start; a round that has begun is finished
    patience: int | None = None  # rounds of this start without a new best
    max_usd: float | None = None  # of the whole run, all its starts
    max_tokens: int | None = None  # input and output, of the whole run
    stop_at: str | None = None  # "accepted": a strategy that passes every gate, evidence included


@dataclass(frozen=True, slots=True)
class Spent:
    rounds: int = 0
    minutes: float = 0.0
    since_best: int = 0
    usage: Usage = Usage()
    accepted: str = ""  # the strategy


def reason(budget: Budget, spent: Spent) -> str:
    """Returns why no further round begins; empty if one does."""
    usage = spent.usage
    tokens = usage.input_tokens + usage.output_tokens
    if budget.stop_at == "accepted" and spent.accepted:
        return f"{spent.accepted} is ACCEPTED"
    if budget.rounds is not None and spent.rounds >= budget.rounds:
        return f"{spent.rounds} rounds were played"
    if budget.minutes is not None and spent.minutes >= budget.minutes:
        return f"{budget.minutes:g} minutes are over"
    if budget.patience is not None and spent.since_best >= budget.patience:
        return f"{spent.since_best} rounds without a new best"
    if budget.max_usd is not None and math.isnan(usage.usd):
        return "the agent's price is unknown, so --max-usd cannot be kept. Use --max-tokens or --rounds"
    if budget.max_usd is not None and usage.usd >= budget.max_usd:
        return f"{usage.usd:.2f} USD of {budget.max_usd:.2f} are spent"
    if budget.max_tokens is not None and usage.requests and not tokens:
        return "the agent does not tell its tokens, so --max-tokens cannot be kept. Use --rounds or --minutes"
    if budget.max_tokens is not None and tokens >= budget.max_tokens:
        return f"{tokens} tokens of {budget.max_tokens} are spent"
    return ""


def left(budget: Budget, spent: Spent) -> str:
    """Estimates how long this start goes on, from its rounds so far and its minutes; empty without an estimate."""
    estimates = []
    if budget.minutes is not None:
        estimates.append(budget.minutes - spent.minutes)
    if budget.rounds is not None and spent.rounds:
        estimates.append((budget.rounds - spent.rounds) * spent.minutes / spent.rounds)
    if not estimates:
        return ""
    minutes = max(min(estimates), 0.0)
    return f"about {60 * minutes:.0f} s left" if minutes < 2 else f"about {minutes:.0f} min left"
