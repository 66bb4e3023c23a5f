"""
The trusted process's side of the workers. Strategy code runs in workers and nowhere else.

One fork server loads FreqTrade once and forks a clean process per task in milliseconds. A worker puts up its walls,
receives candles through a pipe, and is killed with its whole process group when it exceeds a limit. Its answer is JSON
of bounded size, checked field by field. We never unpickle it, because unpickling would run the worker's code here.

While we wait for an answer, a worker's limit counts the CPU time of the worker and of every process that it started,
plus the time in which none of them wanted a processor. Time in which they wanted a processor and got none does not
count.
"""

import contextlib
import json
import multiprocessing
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.decisions import Decisions, Events
from arena.errors import ArenaError, LimitError
from arena.ledger import data_lock
from arena.market.candle_tables import Tables
from arena.market.scenarios import Ticks
from arena.records import Claim, Strategy, Window
from arena.sandbox import entry, validation
from arena.sandbox.clock import Clock
from arena.sandbox.confinement import walls
from arena.sandbox.messages import HEADER
from arena.sandbox.transport import encode
from arena.settings import Settings
from arena.startup import isolation

SCRATCH = "touchstone-worker-"
"""Prefix of scratch folders; the ID of the process that made the folder follows."""
PRELOADED = (
    "arena.sandbox.entry",
    "arena.sandbox.worker.main",
    "arena.sandbox.worker.runner",
    "arena.sandbox.worker.staged_runs",
)
"""Modules that the fork server loads; they load FreqTrade."""

_starting = threading.Lock()
_hearing = threading.Lock()
_reports: list[int] = []
_stopping = threading.Event()
_running: set[multiprocessing.process.BaseProcess] = set()


def warm_up() -> None:
    """Start the fork server, which loads FreqTrade while the caller goes on. A second call does nothing."""
    _stopping.clear()
    with _starting:
        _ensure_server()
    _sweep()


def _server_pid() -> int | None:
    """The fork server's process ID; None when it does not run."""
    from multiprocessing import forkserver

    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    if pid is not None and hasattr(os, "waitid") and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        return None
    return pid


def _ensure_server() -> None:
    from multiprocessing import forkserver, resource_tracker

    if _server_pid() is None:
        with _few_variables():
            resource_tracker.ensure_running()
            with _isolated_server():
                forkserver.ensure_running()


@contextlib.contextmanager
def _isolated_server() -> Iterator[None]:
    """
    multiprocessing starts its server the way it started this process. Our server imports by `arena.startup.isolation`
    and reports through a pipe which modules it has loaded. Workers cannot load these modules themselves inside the
    walls.
    """
    from multiprocessing import util

    original = util.spawnv_passfds
    reader, writer = os.pipe()

    def spawn(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:
        command = isolation.program(f"isolation.preload({PRELOADED!r}, {writer}); {args[-1]}")
        return original(os.fsencode(command[0]), command, [*passfds, writer])

    util.spawnv_passfds = spawn
    try:
        yield
    except BaseException:
        os.close(reader)
        raise
    finally:
        util.spawnv_passfds = original
        os.close(writer)
    _reports.append(reader)


def loaded() -> None:
    """
    Wait until the fork server has reported what it loaded. Raises ArenaError where a loaded file is not what was
    installed.
    """
    with _hearing:
        while _reports:
            with os.fdopen(_reports.pop(), encoding="utf-8") as pipe:
                text = pipe.read()
            if text:
                isolation.heard(json.loads(text))
    data_lock.confirm()


@contextlib.contextmanager
def _few_variables() -> Iterator[None]:
    """
    The fork server starts without the caller's environment, because a process's first environment stays readable in its
    memory and in its children's.
    """
    kept = {name: os.environ[name] for name in ("VIRTUAL_ENV", "SYSTEMROOT") if name in os.environ}
    kept |= {name: value for name, value in isolation.environment(os.environ).items() if name == "LD_LIBRARY_PATH"}
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({**kept, **walls.ENVIRONMENT})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _sweep() -> None:
    """Remove scratch folders of killed runs: a folder's name holds a process ID, and that process no longer exists."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int(folder.name.removeprefix(SCRATCH).split("-")[0])
            try:
                os.kill(owner, 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker has to do, beside the strategy and the arena."""

    task: str  # "backtest", "look" or "walk"
    window: Window  # from the first instant that counts to the end of the candles that are sent
    markets: dict[str, Any]
    ticks: Ticks | None = None
    end_ms: int = 0  # for a walk: the last candle of the loop
    # milliseconds: range of FreqTrade's loop where signals decide everything; None: the whole range
    stretch: tuple[int, int] | None = None


def backtest(strategy: Strategy, settings: Settings, task: Task, tables: Tables) -> Claim:
    """
    Run the strategy over a range in a fresh worker.

    Raises
    ------
    StrategyError
        The strategy raised an error, exceeded a limit, or gave an answer that is not a claim.
    """
    with Worker(strategy, settings, task) as worker:
        worker.send({"task": task.task}, tables)
        return worker.claim()


def look(
    strategy: Strategy, settings: Settings, task: Task, tables: Tables, *, since_ms: int, stakes: list[list[int]] | None
) -> Decisions | None:
    """
    What a fresh worker decides in these frames when it runs only the populate functions: signals from `since_ms` on,
    parameters, and shares of stakes in these spans. None where it ends before it answers. Raises StrategyError.
    """
    with Worker(strategy, settings, task) as worker:
        worker.send({"task": "look", "since_ms": since_ms, "stakes": stakes}, tables)
        return worker.stage()


class Worker:
    """
    One forked process for one strategy. The end of the `with` kills its process group and removes its scratch folder.

    Every call raises LimitError when the worker ends early, sends too much, or has used up its time, which counts from
    the start; BusyError when it got no processor.
    """

    def __init__(self, strategy: Strategy, settings: Settings, task: Task, *, seconds: float | None = None) -> None:
        self.strategy, self.settings, self.task = strategy, settings, task
        self.limits = settings.limits
        self.seconds = self.limits.seconds if seconds is None else seconds
        self.clock = Clock(self.seconds)

    def __enter__(self) -> "Worker":
        self.scratch = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-"))
        self.process: multiprocessing.process.BaseProcess | None = None
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        settings, task = self.settings, self.task
        job = {
            "strategy": self.strategy.name,
            "source": self.strategy.source,
            "pairs": self.strategy.pairs,
            "arena_pairs": settings.pairs,
            "timeframes": (settings.timeframe, *settings.informative_timeframes),
            "config": settings.raw,
            "markets": task.markets,
            # open-ended in every run: a worker's data ends where its candles end
            "timerange": f"{task.window.start:%Y%m%d}-",
            "start_ms": task.window.start_ms,
            "task": task.task,
            "scratch": str(self.scratch),
            "end_ms": task.end_ms,
            "ticks": task.ticks,
            "stretch": task.stretch,
        }
        context = _context()
        self.pipe, worker_end = context.Pipe(duplex=True)
        limits = self.limits.model_dump() | {"seconds": self.seconds}
        self.process = context.Process(target=entry.begin, args=(worker_end, job, limits), daemon=True)
        try:
            with _starting, _hidden_main():
                if _stopping.is_set():
                    raise ArenaError("interrupted.")
                _ensure_server()
                loaded()
                self.process.start()  # waits until the fork server runs
                _running.add(self.process)
                self.server = _server_pid()
        finally:
            worker_end.close()
        os.set_blocking(self.pipe.fileno(), False)

    def __exit__(self, *error: object) -> None:
        if hasattr(self, "pipe"):
            self.pipe.close()
        if self.process is not None:
            _kill(self.process)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def send(self, head: dict[str, Any], tables: Tables) -> None:
        text, data = json.dumps(head).encode(), encode(tables)
        size = HEADER.pack
        self._write(size(len(text)) + text + size(len(data)) + data)

    def claim(self) -> Claim:
        return validation.claim(self._receive(), self.settings.pairs)

    def stage(self) -> Decisions | None:
        return validation.stage(self._receive(), self.settings.pairs)

    def twin(self) -> Events | str | None:
        return validation.twin(self._receive())

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._wait([], [self.pipe])
            try:
                view = view[os.write(self.pipe.fileno(), view[: 1 << 20]) :]
            except (BrokenPipeError, ConnectionResetError):
                return  # its last message can still be read
            except BlockingIOError:
                continue

    def _receive(self) -> bytes:
        (size,) = HEADER.unpack(self._read(HEADER.size))
        if size > self.limits.output_kb * 1024:
            raise LimitError(
                f"returns {size / 1024:.0f} KB, the limit is arena.limits.output_kb = {self.limits.output_kb}"
            )
        return self._read(size)

    def _read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            self._wait([self.pipe], [])
            try:
                part = os.read(self.pipe.fileno(), min(size, 1 << 20))
            except ConnectionResetError:
                part = b""
            except BlockingIOError:
                continue
            if not part:
                assert self.process is not None
                self.process.join(1)
                self._blameless()
                self.clock.ended(self.process.exitcode)
                raise LimitError(_epitaph(self.process.exitcode, self.limits.memory_mb))
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _wait(self, readers: list[Any], writers: list[Any]) -> None:
        assert self.process is not None and self.process.pid is not None
        self.clock.resume()
        while True:
            ready = any(select.select(readers, writers, [], self.clock.pause()))
            self._blameless()
            self.clock.tick(self.process.pid, ready=ready)
            if ready:
                return

    def _blameless(self) -> None:
        """
        Raise ArenaError where the missing answer is not the strategy's fault. We check this, because a child of the
        worker may keep the pipe open.
        """
        if _stopping.is_set():
            raise ArenaError("interrupted.")
        if _server_pid() != self.server:
            raise ArenaError("the fork server of the workers ended. Run again; what was evaluated before is recorded.")


def stop() -> None:
    """Kill every worker. Their callers get an ArenaError, because an interrupted evaluation has no result."""
    _stopping.set()
    for process in list(_running):
        _kill(process)


def pause(seconds: float) -> None:
    """Wait. Raises ArenaError when interrupted."""
    if _stopping.wait(max(seconds, 0)):
        raise ArenaError("interrupted.")


def _kill(process: multiprocessing.process.BaseProcess) -> None:
    """Send SIGKILL to the worker's whole process group; it may ignore every other signal."""
    if process.pid is None:
        return
    for kill in (os.killpg, os.kill):  # the group exists once the worker has created it
        try:
            kill(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    process.join(5)
    _running.discard(process)


def _epitaph(exit_code: int | None, memory_mb: int) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"the worker was ended by {name} before it answered (memory limit arena.limits.memory_mb = {memory_mb})"
    return f"the worker ended without an answer, exit code {exit_code}: the strategy may have called os._exit"


def _context() -> Any:
    return multiprocessing.get_context("forkserver")


class _hidden_main:
    """
    Hides the caller's main module, which multiprocessing would import in every worker: run.py with everything that the
    trusted process needs, or a test runner.
    """

    def __enter__(self) -> None:
        self.main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")

    def __exit__(self, *error: object) -> None:
        sys.modules["__main__"] = self.main
