"""
The parent's side of the workers in which strategy code runs, and nowhere else.

One fork server loads FreqTrade once and forks a clean process per backtest in milliseconds. A worker is killed with its
whole process group at the deadline. What it answers is JSON of bounded size, checked field by field; it is never
unpickled, because unpickling would run the worker's code here.
"""

import dataclasses
import multiprocessing
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import types
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from arena import worker
from arena.errors import ArenaError, LimitError, LoadError, StrategyError
from arena.records import Claim, Orders, Strategy
from arena.settings import Limits, Settings

LEVEL = "limits-only"
"""What the block says of the walls around a worker: none yet but limits on time, memory and output."""

FAILURES = {kind.__name__: kind for kind in (StrategyError, LoadError, LimitError)}

_starting = threading.Lock()
_stopping = threading.Event()
_running: set[multiprocessing.process.BaseProcess] = set()


class _Columns(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    pair: list[str]
    filled_ms: list[int]
    buys: list[bool]
    price: list[FiniteFloat]
    amount: list[FiniteFloat]


class _Claim(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    orders: _Columns
    profit: FiniteFloat
    trades: int
    closed_sharpe: FiniteFloat
    rejected: int
    first_signal_ms: int | None
    warmup_ms: int | None
    warmup: str


class _Failure(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    error: str
    kind: str
    frames: list[str]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    claim: _Claim | None = None
    failure: _Failure | None = None


def warm_up() -> None:
    """Start the fork server, which loads FreqTrade while the caller goes on. Starting it twice does nothing."""
    _stopping.clear()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers run side by side; one thread each
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("NUMEXPR_MAX_THREADS", "1")
    from multiprocessing import forkserver

    _context().set_forkserver_preload(["arena.backtest"])
    forkserver.ensure_running()


def backtest(strategy: Strategy, settings: Settings, data_dir: Path) -> Claim:
    """
    Run the strategy over the search range in a fresh worker.

    Raises
    ------
    StrategyError
        Whatever the strategy did wrong: its own error, a limit, or an answer that is not a claim.
    """
    scratch = Path(tempfile.mkdtemp(prefix="touchstone-"))
    try:
        own = scratch / "strategy"
        own.mkdir()
        (own / f"{strategy.name}.py").write_text(strategy.source, encoding="utf-8")
        job = {
            "strategy": strategy.name,
            "strategy_dir": str(own),
            "pairs": strategy.pairs,
            "config": settings.raw,
            "data_dir": str(data_dir),
            "markets": str(data_dir / "markets.json"),
            "timerange": f"{settings.search.start:%Y%m%d}-{settings.search.end:%Y%m%d}",
            "scratch": str(scratch),
        }
        return _claim(_run(job, settings.limits), settings)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(job: dict[str, Any], limits: Limits) -> bytes:
    """Fork, wait, kill. Returns the worker's answer as it came."""
    context = _context()
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=worker.main, args=(writer, job, limits.memory_mb, limits.printed_kb), daemon=True)
    try:
        with _starting, _hidden_main():
            if _stopping.is_set():
                raise ArenaError("interrupted.")
            process.start()  # waits until the fork server is there
            _running.add(process)
        deadline = time.monotonic() + limits.seconds
        writer.close()
        answer = _receive(reader, deadline, limits)
        if answer is None:
            if _stopping.is_set():
                raise ArenaError("interrupted.")
            process.join(1)
            raise LimitError(_epitaph(process.exitcode, limits))
        return answer
    finally:
        reader.close()
        writer.close()
        _kill(process)


def _receive(reader: Connection, deadline: float, limits: Limits) -> bytes | None:
    """The answer, or None when the worker ended without one."""
    header = _read(reader, worker.HEADER.size, deadline, limits)
    if header is None:
        return None
    (size,) = worker.HEADER.unpack(header)
    if size > limits.output_kb * 1024:
        raise LimitError(f"returns {size / 1024:.0f} KB, the limit is arena.limits.output_kb = {limits.output_kb}")
    return _read(reader, size, deadline, limits)


def _read(reader: Connection, size: int, deadline: float, limits: Limits) -> bytes | None:
    parts: list[bytes] = []
    while size > 0:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            raise LimitError(f"did not end within arena.limits.seconds = {limits.seconds:g}")
        part = os.read(reader.fileno(), min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def stop() -> None:
    """SIGKILL for every worker; their callers get an ArenaError, because an interrupted evaluation is no trial."""
    _stopping.set()
    for process in list(_running):
        _kill(process)


def _kill(process: multiprocessing.process.BaseProcess) -> None:
    """SIGKILL for the worker's whole group; it may ignore every other signal."""
    if process.pid is None:
        return
    for kill in (os.killpg, os.kill):  # the group exists once the worker has made it
        try:
            kill(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    process.join(5)
    _running.discard(process)


def _epitaph(exit_code: int | None, limits: Limits) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"the worker was ended by {name} before it answered (memory limit arena.limits.memory_mb = {limits.memory_mb})"
    return f"the worker ended without an answer, exit code {exit_code}: the strategy may have called os._exit"


def _claim(answer: bytes, settings: Settings) -> Claim:
    """The answer as a Claim. Whatever is not exactly that is refused, and nothing of it is shown but where it is wrong."""
    try:
        parsed = _Answer.model_validate_json(answer)
    except ValidationError as error:
        first = error.errors()[0]
        raise StrategyError(f"the worker's answer is not a claim: {first['loc']}: {first['msg']}") from None
    if parsed.failure is not None:
        kind = FAILURES.get(parsed.failure.kind, StrategyError)
        raise kind(parsed.failure.error, tuple(parsed.failure.frames[:20]))
    claim = parsed.claim
    if claim is None:
        raise StrategyError("the worker's answer is neither a claim nor a failure")
    columns = claim.orders
    if len({len(getattr(columns, name)) for name in type(columns).model_fields}) != 1:
        raise StrategyError("the worker's answer is not a claim: columns of orders have different lengths")
    number = {pair: i for i, pair in enumerate(settings.pairs)}
    if unknown := set(columns.pair) - number.keys():
        raise StrategyError(f"orders for a pair outside the arena: {min(unknown)}")
    orders = Orders(
        pair=np.array([number[p] for p in columns.pair], dtype=np.int64),
        filled_ms=np.array(columns.filled_ms, dtype=np.int64),
        buys=np.array(columns.buys, dtype=np.bool_),
        price=np.array(columns.price, dtype=np.float64),
        amount=np.array(columns.amount, dtype=np.float64),
    )
    return Claim(orders=orders, **{f.name: getattr(claim, f.name) for f in dataclasses.fields(Claim) if f.name != "orders"})


def _context() -> Any:
    return multiprocessing.get_context("forkserver")


class _hidden_main:
    """
    Without this, multiprocessing would import the caller's main module in every worker: run.py with all that the
    trusted process needs, or a test runner.
    """

    def __enter__(self) -> None:
        self.main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")

    def __exit__(self, *error: object) -> None:
        sys.modules["__main__"] = self.main
