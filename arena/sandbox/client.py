"""
The parent's side of the workers in which strategy code runs, and nowhere else.

One fork server loads FreqTrade once and forks a clean process per task in milliseconds. A worker puts up its walls, is
given candles through a pipe, and is killed with its whole process group at its limits. What it answers is JSON of
bounded size, checked field by field; it is never unpickled, because unpickling would run the worker's code here.

Time is what the worker and all that it started have used of processors, and time in which none of them wanted one,
while an answer is waited for. Time in which they wanted one and got none is the machine's: no limit of a strategy
counts it.
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
"""Names of scratch folders begin so; the process that made them follows."""
PRELOADED = (
    "arena.sandbox.entry",
    "arena.sandbox.worker.main",
    "arena.sandbox.worker.runner",
    "arena.sandbox.worker.staged_runs",
)
"""What the fork server loads, and FreqTrade with it."""

_starting = threading.Lock()
_hearing = threading.Lock()
_reports: list[int] = []
_stopping = threading.Event()
_running: set[multiprocessing.process.BaseProcess] = set()


def warm_up() -> None:
    """Start the fork server, which loads FreqTrade while the caller goes on. Starting it twice does nothing."""
    _stopping.clear()
    with _starting:
        _ensure_server()
    _sweep()


def _server_pid() -> int | None:
    """The fork server's process, None when there is none that runs."""
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
    multiprocessing starts its server as it started this process; ours imports by `arena.startup.isolation`, and tells
    through a pipe what it has loaded. What it cannot preload, walls would keep from workers.
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
    Wait until the fork server has told what it loaded. Raises ArenaError where something of that is not what was
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
    The fork server starts without the caller's environment: what a process is started with stays readable in its
    memory, and in that of its children.
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
    """Remove scratch folders of runs that were killed: their names tell the process, and it is not there any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int(folder.name.removeprefix(SCRATCH).split("-")[0])
            try:
                os.kill(owner, 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is to do, beside the strategy and the arena."""

    task: str  # "backtest", "look" or "walk"
    window: Window  # from the start of what counts to the end of the candles that are sent
    markets: dict[str, Any]
    ticks: Ticks | None = None
    end_ms: int = 0  # of a walk: the last candle of the loop
    # milliseconds: between them FreqTrade's loop runs where signals say everything; None: everywhere
    stretch: tuple[int, int] | None = None


def backtest(strategy: Strategy, settings: Settings, task: Task, tables: Tables) -> Claim:
    """
    Run the strategy over a range in a fresh worker.

    Raises
    ------
    StrategyError
        Whatever the strategy did wrong: its own error, a limit, or an answer that is not a claim.
    """
    with Worker(strategy, settings, task) as made:
        made.send({"task": task.task}, tables)
        return made.claim()


def look(
    strategy: Strategy, settings: Settings, task: Task, tables: Tables, *, since_ms: int, stakes: list[list[int]] | None
) -> Decisions | None:
    """
    What a fresh worker that runs the populate functions alone decides in these frames: signals from `since_ms` on,
    parameters, and shares of stakes in these spans. None where it ends before it tells. Raises StrategyError.
    """
    with Worker(strategy, settings, task) as made:
        made.send({"task": "look", "since_ms": since_ms, "stakes": stakes}, tables)
        return made.stage()


class Worker:
    """
    One forked process for one strategy, killed with its group and its scratch folder at the end of the `with`.

    Every call raises LimitError when the worker ends early, says too much, or its time is up, which counts from the
    start; BusyError when it got no time.
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
            # the same in every run: what a worker holds ends where its candles end
            "timerange": f"{task.window.start:%Y%m%d}-",
            "start_ms": task.window.start_ms,
            "task": task.task,
            "scratch": str(self.scratch),
            "end_ms": task.end_ms,
            "ticks": task.ticks,
            "stretch": task.stretch,
        }
        context = _context()
        self.pipe, theirs = context.Pipe(duplex=True)
        limits = self.limits.model_dump() | {"seconds": self.seconds}
        self.process = process = context.Process(target=entry.begin, args=(theirs, job, limits), daemon=True)
        try:
            with _starting, _hidden_main():
                if _stopping.is_set():
                    raise ArenaError("interrupted.")
                _ensure_server()
                loaded()
                process.start()  # waits until the fork server is there
                _running.add(process)
                self.server = _server_pid()
        finally:
            theirs.close()
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
                return  # what it said before it ended is still to be read
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
        ArenaError where it is not the strategy's fault that no answer comes; a child of the worker may keep the pipe
        open.
        """
        if _stopping.is_set():
            raise ArenaError("interrupted.")
        if _server_pid() != self.server:
            raise ArenaError("the fork server of the workers ended. Run again; what was evaluated before is recorded.")


def stop() -> None:
    """SIGKILL for every worker; their callers get an ArenaError, because an interrupted evaluation has no result."""
    _stopping.set()
    for process in list(_running):
        _kill(process)


def pause(seconds: float) -> None:
    """Wait, unless it is interrupted. Raises ArenaError then."""
    if _stopping.wait(max(seconds, 0)):
        raise ArenaError("interrupted.")


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


def _epitaph(exit_code: int | None, memory_mb: int) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"the worker was ended by {name} before it answered (memory limit arena.limits.memory_mb = {memory_mb})"
    return f"the worker ended without an answer, exit code {exit_code}: the strategy may have called os._exit"


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
