"""
The child's side: confine, run one task for one strategy, tell what came of it, end.

The walls go up before a candle or a line of the strategy is there (`arena/sandbox/confinement/walls.py`; docs/checks.md
says what each system has). Candles come through the pipe, in one piece or stage by stage; what goes back is JSON. What
is written is written into memory of the worker's own; where there is none, nothing can be written.
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
"""The kernel ends a process this long after the trusted process would have, which looks at all of them together."""


def main(pipe: Connection, job: dict, limits: dict) -> None:
    """Runs in a process that the fork server forked: FreqTrade is loaded, no candle and no strategy is."""
    from arena.sandbox.worker import runner  # loaded already by the fork server; the trusted process never loads it

    gc.freeze()  # what the fork server loaded lives on, and is not looked through again and again
    os.setsid()  # one group to kill, whatever the strategy starts
    _close_descriptors(keep=pipe.fileno())
    walls.die_with_parent()  # the fork server, which ends with the trusted process
    os.register_at_fork(after_in_child=walls.die_with_parent)  # a chain: whoever is forked in here ends with its parent
    pid_namespace.seclude()
    home, own = Path(job["scratch"], "home"), Path(job["scratch"], "strategy")
    for folder in (home, own):
        folder.mkdir()
    walls.limits(memory_mb=limits["memory_mb"], cpu_s=limits["seconds"] + CPU_RESERVE_S)
    libraries = [*walls.readable(), *map(Path, isolation.readable())]
    entered = walls.enter(libraries, [home, own])
    _redirect_output(home)
    os.chdir(home)
    walls.clean_environment({"HOME": str(home)})
    source = job.pop("source")
    Path(own, f"{job['strategy']}.py").write_text(source, encoding="utf-8")
    runner.furnish(home)
    walls.limit_files(limits["printed_kb"])
    writable = entered.root or sys.platform != "linux"
    read = [*libraries, own]
    walls.confine(
        read if writable else [*read, home], [home] if writable else [], processes=limits["processes"], entered=entered
    )
    _forget_seeds()
    link = Link(pipe.fileno())
    message = _task({**job, "scratch": str(home), "strategy_dir": str(own)}, link)
    with contextlib.suppress(OSError):  # the file is at its limit
        sys.stdout.flush()
    if message and _printed() >= limits["printed_kb"] * 1024:
        message = _failure(LimitError(f"prints more than arena.limits.printed_kb = {limits['printed_kb']}"))
    if message:
        link.send(message)
    os._exit(0)  # nothing that the strategy left behind runs at exit


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
        told = runner.Job(**job)
        store = Store(told.timeframes[0])
        if told.task != "walk":
            head, tables = link.receive()
            store.add(tables)
        run = runner.Run(told, store)
        with run.telling():
            run.load()
            if told.task == "backtest":
                return {"claim": run.backtest()}
            if told.task == "look":
                staged_runs.look(run, link, head)
            else:
                staged_runs.walk(run, link)
        return None
    except StrategyError as error:
        return _failure(error)
    except Exception as error:  # the border of the process: what is not foreseen is still told, not a silent end
        return _failure(StrategyError(f"{type(error).__name__}: {error}, after the backtest"))


def _failure(error: StrategyError) -> dict[str, Any]:
    return {"failure": {"error": str(error), "kind": type(error).__name__, "frames": list(error.frames)}}


def _forget_seeds() -> None:
    """
    The fork server's random state would be every worker's, and hide that a strategy throws dice: two runs must be able
    to differ.
    """
    import numpy as np

    random.seed(os.urandom(16))
    np.random.seed(int.from_bytes(os.urandom(4)))


def _redirect_output(home: Path) -> None:
    """Standard output and error go into memory, which its limit keeps from growing; there is nothing to read from."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("printed")
    else:
        file = os.open(home / "printed.txt", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (0, 1, 2):
        os.dup2(file, standard)
    os.close(file)


def _printed() -> int:
    """Bytes that were printed; 0 where the strategy has put something else in the place."""
    try:
        return os.fstat(1).st_size
    except OSError:
        return 0


def _close_descriptors(keep: int) -> None:
    """
    Whatever was inherited. One of them is the pipe whose end tells the fork server that the trusted process is gone: a
    worker that held it would keep the server, and itself, alive after a SIGKILL of that process.
    """
    import resource

    os.closerange(3, keep)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(keep + 1, limit if 0 < limit < 1 << 20 else 1 << 20)
