"""
The worker's side: confine the process, run one task for one strategy, send the result, end.

The walls go up before the process holds a candle or the strategy's code (`arena/sandbox/confinement/walls.py`;
docs/checks.md says what each system has). Candles come through the pipe, in one piece or stage by stage; the answer is
JSON. Files are written into the worker's own memory; where there is none, nothing can be written.
"""

import contextlib
import gc
import json
import os
import random
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from arena.errors import LimitError, StrategyError
from arena.sandbox.confinement import pid_namespace, walls
from arena.sandbox.messages import HEADER
from arena.startup import isolation

CPU_RESERVE_S = 5
"""
The kernel kills a single process this long after the limit, which the trusted process applies to all of them together.
"""


def main(pipe: Connection, job: dict, limits: dict) -> None:
    """Runs in a process that the fork server forked: FreqTrade is loaded, candles and the strategy are not."""
    from arena.sandbox.worker import runner  # loaded already by the fork server; the trusted process never loads it

    gc.freeze()  # objects that the fork server loaded stay; the garbage collector skips them
    os.setsid()  # one process group to kill, whatever the strategy starts
    _close_descriptors(keep=pipe.fileno())
    walls.die_with_parent()  # the parent is the fork server, which ends with the trusted process
    os.register_at_fork(after_in_child=walls.die_with_parent)  # every process forked here ends with its parent too
    pid_namespace.seclude()
    home, strategy_folder = Path(job["scratch"], "home"), Path(job["scratch"], "strategy")
    for folder in (home, strategy_folder):
        folder.mkdir()
    walls.limits(memory_mb=limits["memory_mb"], cpu_s=limits["seconds"] + CPU_RESERVE_S)
    libraries = [*walls.readable(), *map(Path, isolation.readable())]
    entered = walls.enter(libraries, [home, strategy_folder])
    _redirect_output(home)
    os.chdir(home)
    walls.clean_environment({"HOME": str(home)})
    source = job.pop("source")
    Path(strategy_folder, f"{job['strategy']}.py").write_text(source, encoding="utf-8")
    runner.furnish(home)
    walls.limit_files(limits["printed_kb"])
    writable = entered.root or sys.platform != "linux"
    read = [*libraries, strategy_folder]
    walls.confine(
        read if writable else [*read, home], [home] if writable else [], processes=limits["processes"], entered=entered
    )
    _forget_seeds()
    link = Link(pipe.fileno())
    message = _task({**job, "scratch": str(home), "strategy_dir": str(strategy_folder)}, link)
    with contextlib.suppress(OSError):  # the file has reached its size limit
        sys.stdout.flush()
    if message and _printed() >= limits["printed_kb"] * 1024:
        message = _failure(LimitError(f"prints more than arena.limits.printed_kb = {limits['printed_kb']}"))
    if message:
        link.send(message)
    os._exit(0)  # no exit handler of the strategy runs


class Link:
    """The pipe to the trusted process."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def send(self, message: dict[str, Any]) -> None:
        text = json.dumps(message).encode()
        view = memoryview(HEADER.pack(len(text)) + text)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def receive(self) -> tuple[dict[str, Any], dict]:
        from arena.sandbox.transport import decode

        (size,) = HEADER.unpack(self._read(HEADER.size))
        head = json.loads(self._read(size))
        (size,) = HEADER.unpack(self._read(HEADER.size))
        return head, decode(self._read(size))

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self.descriptor, min(size, 1 << 20))
            if not part:
                os._exit(1)  # the trusted process is gone
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _task(job: dict, link: Link) -> dict[str, Any] | None:
    from arena.sandbox.transport import Store
    from arena.sandbox.worker import (  # loaded already by the fork server; the trusted process never loads them
        runner,
        staged_runs,
    )

    try:
        assignment = runner.Job(**job)
        store = Store(assignment.timeframes[0])
        if assignment.task != "walk":
            head, tables = link.receive()
            store.add(tables)
        run = runner.Run(assignment, store)
        with run.telling():
            run.load()
            if assignment.task == "backtest":
                return {"claim": run.backtest()}
            if assignment.task == "look":
                staged_runs.look(run, link, head)
            else:
                staged_runs.walk(run, link)
        return None
    except StrategyError as error:
        return _failure(error)
    except Exception as error:  # last resort: report an unexpected error instead of ending silently
        return _failure(StrategyError(f"{type(error).__name__}: {error}, after the backtest"))


def _failure(error: StrategyError) -> dict[str, Any]:
    return {"failure": {"error": str(error), "kind": type(error).__name__, "frames": list(error.frames)}}


def _forget_seeds() -> None:
    """
    Seed anew. With the fork server's random state every worker would draw the same random numbers, which would hide
    that a strategy uses them: two runs must be able to differ.
    """
    import numpy as np

    random.seed(os.urandom(16))
    np.random.seed(int.from_bytes(os.urandom(4)))


def _redirect_output(home: Path) -> None:
    """Standard output and error go into memory, bounded by the file size limit; standard input is empty."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("printed")
    else:
        file = os.open(home / "printed.txt", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (0, 1, 2):
        os.dup2(file, standard)
    os.close(file)


def _printed() -> int:
    """Bytes that were printed; 0 where the strategy has closed or replaced standard output."""
    try:
        return os.fstat(1).st_size
    except OSError:
        return 0


def _close_descriptors(keep: int) -> None:
    """
    Close all inherited descriptors but `keep`. One of them is the pipe whose end tells the fork server that the trusted
    process is gone. A worker that held it would keep the server and itself alive after a SIGKILL of that process.
    """
    import resource

    os.closerange(3, keep)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(keep + 1, limit if 0 < limit < 1 << 20 else 1 << 20)
