"""
Hides how long a question about sealed candles takes. Whatever the result, the answer comes at the next whole multiple
of a time that was fixed before a sealed candle reached a worker. The worker's limit lies below one multiple.

Not covered: on a busy machine the work may take more than one multiple. How many then depends on the machine's load,
which a strategy can raise together with others.
"""

import dataclasses
import math
import time
from collections.abc import Callable

from arena.checks.lookahead import Case
from arena.errors import CausalityError, DeterminismError, StrategyError
from arena.sandbox import client

BASE_S, SHARE = 4.0, 2.0
"""
Time for sealed candles: a fixed part, and this many times what the search range took, in proportion to the length.
"""
MARGIN_S = 2.0
"""Time between the worker's limit and the answer, for starts and booking."""


def time_s(case: Case, end_ms: int) -> float:
    """
    Returns the CPU seconds for a worker that goes on to `end_ms`, estimated from the first run. Never more than the
    arena's limit.
    """
    claim, search = case.claim, case.settings.search
    length = search.end_ms - search.start_ms
    loop_s = (
        claim.loop_s
        if claim.stretch is None
        else claim.loop_s * length / max(claim.stretch[1] - claim.stretch[0], case.settings.step_ms)
    )
    used_s = (claim.populate_s + loop_s) * (end_ms - search.start_ms) / length
    return min(BASE_S + SHARE * used_s, case.settings.limits.seconds)


def asked(case: Case, end_ms: int, ask: Callable[[Case], float]) -> float:
    """
    Returns what `ask` answers about the case under that limit; nan for a strategy that fails, which learns nothing
    else. Raises findings of the checks, after the same time.
    """
    seconds, started = time_s(case, end_ms), time.monotonic()
    limits = case.settings.limits.model_copy(update={"seconds": seconds})
    finding, answer = None, math.nan
    try:
        answer = ask(dataclasses.replace(case, settings=case.settings.model_copy(update={"limits": limits})))
    except (CausalityError, DeterminismError) as error:
        finding = error
    except StrategyError:
        pass
    client.pause(started + later(time.monotonic() - started, seconds + MARGIN_S) - time.monotonic())
    if finding is not None:
        raise finding
    return answer


def later(elapsed_s: float, unit_s: float) -> float:
    """Returns the next whole multiple of the unit."""
    return (math.floor(elapsed_s / unit_s) + 1) * unit_s
