"""
What each strategy costs: the evaluation itself, and every check beyond it, one after the other with nothing else running.

Prints JSON: by strategy the seconds of the evaluation (backtest, booking, metrics), of both depths of causality, and of relabel.
The table of bench/speed.py.

Usage, in a prepared arena: PYTHONPATH=. python bench/checks.py [--repeat N]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from arena import booking, figures, metrics, opening, sandbox, scrutiny, settings, strategies
from arena.causality import Case
from arena.opening import Arena
from arena.records import Strategy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="the median counts; full causality is timed once")
    options = parser.parse_args()
    arena = settings.load()
    sandbox.warm_up()
    opened = opening.open_arena(arena, record=False)
    found = [strategies.examine(file, arena) for file in strategies.find(arena.root / strategies.FOLDER, None)]
    evaluated(found[0], opened)  # the fork server is there
    opened.beyond()
    print(json.dumps({strategy.name: seconds(strategy, opened, options.repeat) for strategy in found}))


def seconds(strategy: Strategy, opened: Arena, repeat: int) -> dict[str, float]:
    """Medians; nothing is caught, because a strategy that fails a check would be timed up to its failure only."""
    rng = np.random.default_rng()
    own, backtest = map(statistics.median, zip(*(evaluated(strategy, opened)[1:] for _ in range(repeat)), strict=True))
    case = evaluated(strategy, opened)[0]
    return {
        "evaluation": own,
        "quick": statistics.median(timed(lambda: scrutiny.quick(case, backtest, rng)) for _ in range(repeat)),
        "relabel": statistics.median(timed(lambda: scrutiny.relabel(case, rng)) for _ in range(repeat)),
        "full": timed(lambda: scrutiny.full(case, rng)),
    }


def evaluated(strategy: Strategy, opened: Arena) -> tuple[Case, float, float]:
    """The evaluation without its checks: its case, its seconds, and those of the backtest alone, by which a quick check goes."""
    arena, market = opened.settings, opened.market
    started = time.perf_counter()
    claim, engine = figures.claimed(strategy, opened)
    backtest = time.perf_counter() - started
    book = booking.book(market, claim.orders, wallet=arena.wallet, fee=arena.fee, slots=arena.max_open_trades)
    if engine.described is None:
        booking.reconcile(book, claim)
    for window in (arena.search, *arena.windows):
        metrics.measure(market, book, window, last=window in (arena.search, arena.windows[-1]))
    own = time.perf_counter() - started
    return figures.case_of(strategy, opened, claim, book, engine.described), own, backtest


def timed(check: Callable[[], object]) -> float:
    started = time.perf_counter()
    check()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
