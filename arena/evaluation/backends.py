"""
Evaluates many strategies on many cores or machines, through joblib. The figures are those of one machine, bit for bit.

Only a strategy's text travels to a worker, and only what it earned travels back. Each machine has this repository,
prepared for the same contract, at the same path, and the key of the validation window. The process where the run began
counts, judges and records the trials. If a worker process dies, its strategy is evaluated again.

Not covered: whoever can connect to dask's scheduler can run code on every machine, so keep it in your own network.
Processes of joblib and of dask start with Python's own `site` and import by Python's rules: loky's do not import from
the repository's root, dask's import as they were started.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from arena import settings
from arena.errors import ArenaError, BusyError, StrategyError
from arena.evaluation import context, figures
from arena.evaluation.context import EvaluationContext
from arena.evaluation.figures import Earned
from arena.ledger import data_lock
from arena.records import Strategy
from arena.sandbox import client
from arena.settings import Compute
from arena.startup import isolation

TRIES = 4
"""How often a pool of processes is started, when its workers die."""
SECONDS = 20
"""Seconds to wait for dask's scheduler."""

Outcome = Earned | StrategyError
T = TypeVar("T")


def outcome(strategy: Strategy, arena: EvaluationContext) -> Outcome:
    """
    Returns what one strategy earned, or its fault. Tries once more if the machine was too busy, then raises ArenaError.
    """
    return _twice(lambda: figures.earn(strategy, arena))


def judged(
    found: Outcome, strategy: Strategy, arena: EvaluationContext, *, deeper: bool
) -> dict[str, Any] | StrategyError:
    """
    Returns fields of the Result, or the fault that the full check has found, as `figures.judged` does. Treats a busy
    machine as `outcome` does.
    """
    return (
        found
        if isinstance(found, StrategyError)
        else _twice(lambda: figures.judged(found, strategy, arena, deeper=deeper))
    )


def _twice(ask: Callable[[], T]) -> T | StrategyError:
    try:
        return _once(ask)
    except BusyError:
        return _once(ask)


def _once(ask: Callable[[], T]) -> T | StrategyError:
    try:
        return ask()
    except StrategyError as error:
        return error


def earn_many(strategies: list[Strategy], arena: EvaluationContext) -> Iterator[tuple[int, Outcome]]:
    """
    Yields (index, what was earned or the strategy's fault), each once, in the order in which they are ready.

    Raises ArenaError when the backend cannot be used, or a machine has another contract.
    """
    compute = arena.settings.compute
    task = joblib.delayed(_earn)
    config = _config(arena.settings.root)
    pending = {
        i: task(config, arena.lock.contract, arena.causality, i, strategy) for i, strategy in enumerate(strategies)
    }
    for last in reversed(range(TRIES)):
        try:
            for i, result in _parallel(list(pending.values()), compute):
                del pending[i]
                yield i, result
        except TerminatedWorkerError:
            if not last:
                raise ArenaError(
                    f"worker processes ended {TRIES} times in a row, perhaps for want of memory. Set "
                    f"arena.compute.jobs lower."
                ) from None
        if not pending:
            return


def _config(root: Path) -> str:
    """
    Returns config.json of the checkout to which this folder belongs. A worktree, which no other machine has, links to
    the checkout's lock. The contract confirms that the two are the same arena.
    """
    return str(data_lock.place(root, data_lock.FILE) / "config.json")


def _parallel(tasks: list, compute: Compute) -> Iterator:
    if compute.backend == "dask":
        with _client(compute.address) as cluster, joblib.parallel_config(backend="dask", client=cluster):
            yield from joblib.Parallel(return_as="generator_unordered")(tasks)
    else:
        jobs = compute.jobs or os.cpu_count() or 1
        before = {name: os.environ.get(name) for name in isolation.variables()}
        os.environ.update(isolation.variables())
        try:
            yield from joblib.Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered", batch_size=1)(
                tasks
            )
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                os.environ.update({} if value is None else {name: value})


def _client(address: str | None) -> Any:
    try:
        from distributed import Client  # takes seconds to load, and one machine does not need it
    except ModuleNotFoundError:
        raise ArenaError(
            "arena.compute.backend dask needs the package distributed: `uv sync --group cluster`."
        ) from None
    try:
        cluster = Client(address, timeout=SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ArenaError(
            f"dask's scheduler at {address} cannot be reached: {error}. Start it, or set arena.compute.backend to loky."
        ) from None
    if not cluster.scheduler_info()["workers"]:
        cluster.close()
        raise ArenaError(f"dask's scheduler at {address} has no workers. docs/compute.md says how to start them.")
    return cluster


def _earn(config: str, contract: str, depth: str, index: int, strategy: Strategy) -> tuple[int, Outcome]:
    """
    Evaluates one strategy on any machine. Runs in a trusted process of joblib, which has its own sandboxed workers.
    """
    if multiprocessing.current_process().daemon:
        raise ArenaError("this worker may not start processes. Start it with DASK_DISTRIBUTED__WORKER__DAEMON=False.")
    arena = _arena(config, depth)
    if arena.lock.contract != contract:
        raise ArenaError(
            f"{config} has the contract {arena.lock.contract[:8]} on {os.uname().nodename}, the run has {contract[:8]}."
        )
    data_lock.verify(arena.settings)
    result = outcome(strategy, arena)
    return index, result if isinstance(result, StrategyError) else replace(result, made=None)


@lru_cache(maxsize=1)
def _arena(config: str, depth: str) -> EvaluationContext:
    """Opens the arena once per process."""
    multiprocessing.set_start_method("forkserver", force=True)  # a sandboxed worker does not know loky's own
    loaded = settings.load(config)
    client.warm_up()
    return context.open_arena(loaded, record=False, causality=depth)
