"""
What each strategy costs: the evaluation itself, and every check beyond it, one after the other with nothing else
running.

Prints JSON: by strategy the CPU seconds, workers included, of the account (backtest, replay, booking, metrics), of
stress, of relabel, and of both depths of causality; and whether callbacks decide on the way. The table of
bench/speed.py.

Usage, in a prepared arena: PYTHONPATH=. python bench/checks.py [--repeat N]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from arena import settings
from arena.checks import lookahead, relabelling, schedule, stress
from arena.checks.lookahead import Case
from arena.evaluation import context, figures
from arena.evaluation.context import EvaluationContext
from arena.ledger import strategy_files
from arena.records import Strategy
from arena.sandbox import client, usage

_ended: list[float] = []
"""CPU seconds of each worker that has ended."""


class Worker(client.Worker):
    """As it is, and its time is known when it has ended."""

    def __exit__(self, *error: object) -> None:
        if self.process is not None and (used := usage.of(self.process.pid)):
            _ended.append(used.cpu_s)
        super().__exit__(*error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="the median counts; full causality is timed once")
    options = parser.parse_args()
    arena = settings.load()
    client.Worker = lookahead.Worker = Worker
    client.warm_up()
    opened = context.open_arena(arena, record=False)
    found = [
        strategy_files.examine(file, arena) for file in strategy_files.find(arena.root / strategy_files.FOLDER, None)
    ]
    evaluated(found[0], opened)  # the fork server is there
    opened.beyond(), opened.after()
    print(json.dumps({strategy.name: seconds(strategy, opened, options.repeat) for strategy in found}))


def seconds(strategy: Strategy, opened: EvaluationContext, repeat: int) -> dict[str, float]:
    """Medians; nothing is caught, because a strategy that fails a check would be timed up to its failure only."""
    rng = np.random.default_rng()
    case = evaluated(strategy, opened)

    def median(of: Callable[[], object]) -> float:
        return statistics.median(timed(of) for _ in range(repeat))

    return {
        "account": median(lambda: evaluated(strategy, opened)),
        "stress": median(lambda: stress.of(opened.market, opened.settings, case.claim.orders, case.described, rng)),
        "relabel": median(lambda: relabelling.relabel(case, rng)),
        "quick": median(lambda: schedule.quick(case, rng)),
        "full": timed(lambda: schedule.full(case, rng)),
        "callbacks": bool(case.claim.callbacks),
    }


def evaluated(strategy: Strategy, opened: EvaluationContext) -> Case:
    """The account, and what the checks ask about."""
    made = figures.account(strategy, opened)
    figures.measured(strategy, opened, made)
    return figures.case_of(strategy, opened, made)


def timed(check: Callable[[], object]) -> float:
    before = time.process_time() + sum(_ended)
    check()
    return time.process_time() + sum(_ended) - before


if __name__ == "__main__":
    main()
