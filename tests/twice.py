"""
Strategies through FreqTrade's loop twice, once with every candle and once without the idle ones: what happens at each
candle that counts, and what the strategy could see there. Prints a line of JSON with both for each strategy. Each runs
in a fork of its own, because a run changes the process.

Usage: python tests/twice.py ARENA STRATEGY ...
"""

import functools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from freqtrade.persistence import LocalTrade

from arena import settings
from arena.evaluation import context
from arena.ledger import strategy_files
from arena.sandbox.transport import Store
from arena.sandbox.worker import runner
from arena.sandbox.worker.patches import skip_idle_candles


def main() -> None:
    arena = context.open_arena(settings.load(Path(sys.argv[1], "config.json")), record=False)
    for file in map(Path, sys.argv[2:]):
        child = os.fork()
        if child == 0:
            strategy = strategy_files.examine(file, arena.settings)
            generators = skip_idle_candles._every_candle, skip_idle_candles.time_pair_generator
            print(json.dumps([ran(arena, strategy, file.parent, generator) for generator in generators]), flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"{file.name} failed")


def ran(arena: context.EvaluationContext, strategy: strategy_files.Strategy, folder: Path, generator: Callable) -> dict:
    told, seen, visits = arena.settings, [], 0
    store = Store(told.timeframe)
    store.add(arena.tables)
    with tempfile.TemporaryDirectory() as scratch:
        job = runner.Job(
            strategy=strategy.name, strategy_dir=str(folder), pairs=strategy.pairs, arena_pairs=told.pairs,
            timeframes=(told.timeframe, *told.informative_timeframes), config=told.raw, markets=arena.markets,
            scratch=scratch, timerange=f"{told.search.start:%Y%m%d}-{told.search.end:%Y%m%d}",
            start_ms=told.search.start_ms, task="backtest",
        )  # fmt: skip
        run = runner.Run(job, store)
        run.load()
        bt, provider = run.backtesting, run.backtesting.dataprovider
        bt.time_pair_generator = functools.partial(generator, bt)
        loop = bt.backtest_loop

        def noted(row: tuple, pair: str, now: object, direction: object, can_enter: bool) -> object:
            nonlocal visits
            visits += 1
            if direction is not None or LocalTrade.bt_trades_open_pp[pair]:
                shown = {p: provider._DataProvider__slice_index.get(p) for p in strategy.pairs}
                seen.append(
                    f"{now} {pair} {list(row)} {direction} {can_enter} {shown} {provider._DataProvider__slice_date}"
                )
            return loop(row, pair, now, direction, can_enter)

        bt.backtest_loop = noted
        run.guard.attached.add(id(noted))
        claim = run.backtest()
    del claim["populate_s"], claim["loop_s"]
    return {"seen": seen, "claim": claim, "visits": visits}


if __name__ == "__main__":
    main()
