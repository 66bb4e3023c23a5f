"""
Many strategies on many cores or machines, through joblib. The figures are those of one machine, bit for bit.

What travels is a strategy's text one way and what it earned the other; each machine has this repository, prepared for
the same contract, at the same path, and the key of the validation window. Trials are counted, judged and recorded where
the run began. A worker process that dies takes nothing along: what it was busy with is evaluated again.

Not covered: who may connect to dask's scheduler can run code on every machine. It belongs into a network of your own.
Processes of joblib's and of dask's start with Python's own `site`, and import by Python's rules: loky's not from the
repository's root, dask's as they were started.
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
from arena.evaluation.context import Arena
from arena.evaluation.figures import Earned
from arena.ledger import data_lock
from arena.records import Strategy
from arena.sandbox import client
from arena.settings import Compute
from arena.startup import isolation

TRIES = 4
"""Times that a pool of processes is begun, when its workers die."""
SECONDS = 20
"""To wait for dask's scheduler."""

Outcome = Earned | StrategyError
T = TypeVar("T")


def outcome(strategy: Strategy, arena: Arena) -> Outcome:
    """
    What one strategy earned, or its fault. Asked once more where the machine was too busy. Raises ArenaError when it
    still is.
    """
    return _twice(lambda: figures.earn(strategy, arena))


def judged(found: Outcome, strategy: Strategy, arena: Arena, *, deeper: bool) -> dict[str, Any] | StrategyError:
    """
    Fields of the Result, or the fault that the full check has found, as `figures.judged`. As `outcome` on a busy
    machine.
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


def earn_many(strategies: list[Strategy], arena: Arena) -> Iterator[tuple[int, Outcome]]:
    """
    (index, what was earned or the strategy's fault), in the order in which they are ready, each once.

    Raises ArenaError when the backend cannot be used, or a machine has another contract.
    """
    compute = arena.settings.compute
    task = joblib.delayed(_earn)
    config = _config(arena.settings.root)
    asked = {i: task(config, arena.lock.contract, arena.causality, i, one) for i, one in enumerate(strategies)}
    for last in reversed(range(TRIES)):
        try:
            for i, found in _parallel(list(asked.values()), compute):
                del asked[i]
                yield i, found
        except TerminatedWorkerError:
            if not last:
                raise ArenaError(
                    f"worker processes ended {TRIES} times in a row, perhaps for want of memory. Set "
                    f"arena.compute.jobs lower."
                ) from None
        if not asked:
            return


def _config(root: Path) -> str:
    """
    config.json of the checkout to which this folder belongs: a worktree, which no other machine has, shares the
    checkout's lock by a link. The contract says that the two are the same arena.
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


def _client(address: str | None):
    try:
        from distributed import Client  # seconds of libraries that one machine does not need
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
    One strategy, on whichever machine. Runs in a process of joblib's, which is trusted; its sandboxed workers are its
    own.
    """
    if multiprocessing.current_process().daemon:
        raise ArenaError("this worker may not start processes. Start it with DASK_DISTRIBUTED__WORKER__DAEMON=False.")
    arena = _arena(config, depth)
    if arena.lock.contract != contract:
        raise ArenaError(
            f"{config} has the contract {arena.lock.contract[:8]} on {os.uname().nodename}, the run has {contract[:8]}."
        )
    data_lock.verify(arena.settings)
    found = outcome(strategy, arena)
    return index, found if isinstance(found, StrategyError) else replace(found, made=None)


@lru_cache(maxsize=1)
def _arena(config: str, depth: str) -> Arena:
    """Opened once a process."""
    multiprocessing.set_start_method("forkserver", force=True)  # loky's own is no name that a sandboxed worker knows
    loaded = settings.load(config)
    client.warm_up()
    return context.open_arena(loaded, record=False, causality=depth)
