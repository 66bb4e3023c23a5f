"""
The child's side: confine, run one backtest, answer once with JSON, end.

Limits here are rlimits and a process group of its own, which the parent kills. They bound accidents; they are no wall:
a worker can read the disk and the network. `sandbox: limits-only` in every block says so.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

from arena.errors import LimitError, StrategyError

HEADER = struct.Struct("<Q")
"""Length of the JSON text that follows."""


def main(answer: Connection, job: dict, memory_mb: int, printed_kb: int) -> None:
    """Runs in a process that the fork server forked: FreqTrade is loaded, no candle and no strategy is."""
    os.setsid()  # one group to kill, whatever the strategy starts
    _close_descriptors(keep=answer.fileno())
    _die_with_parent()
    with tempfile.TemporaryDirectory(prefix="touchstone-", dir=job["scratch"]) as scratch:
        printed = _redirect_output(Path(scratch, "printed.txt"), printed_kb)
        _limit_memory(memory_mb)
        for name in [name for name in os.environ if name.startswith("FREQTRADE")]:
            del os.environ[name]  # FreqTrade reads configuration from there
        message = _answer({**job, "scratch": scratch})
        with contextlib.suppress(OSError):  # the file is at its limit
            sys.stdout.flush()
        if printed.stat().st_size >= printed_kb * 1024:
            message = _failure(LimitError(f"prints more than arena.limits.printed_kb = {printed_kb}"))
    text = json.dumps(message).encode()
    _write(answer.fileno(), HEADER.pack(len(text)) + text)
    os._exit(0)  # nothing that the strategy left behind runs at exit


def _answer(job: dict) -> dict:
    from arena import backtest  # loaded already by the fork server; the trusted process never loads it

    try:
        return {"claim": backtest.run(backtest.Job(**job))}
    except StrategyError as error:
        return _failure(error)
    except Exception as error:  # the border of the process: what is not foreseen is still told, not a silent end
        return _failure(StrategyError(f"{type(error).__name__}: {error}, after the backtest"))


def _failure(error: StrategyError) -> dict:
    return {"failure": {"error": str(error), "kind": type(error).__name__, "frames": list(error.frames)}}


def _redirect_output(path: Path, printed_kb: int) -> Path:
    """Standard output and error go to a file that cannot outgrow its limit."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    resource.setrlimit(resource.RLIMIT_FSIZE, (printed_kb * 1024, printed_kb * 1024))
    return path


def _limit_memory(memory_mb: int) -> None:
    """Address space beyond what the fork server's preload already takes."""
    try:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # not Linux
        taken = 0
    limit = taken + memory_mb * 1024 * 1024
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _close_descriptors(keep: int) -> None:
    """
    Whatever was inherited. One of them is the pipe whose end tells the fork server that the trusted process is gone: a
    worker that held it would keep the server, and itself, alive after a SIGKILL of that process.
    """
    os.closerange(3, keep)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(keep + 1, limit if 0 < limit < 1 << 20 else 1 << 20)


def _die_with_parent() -> None:
    """Linux: SIGKILL when the fork server ends, which ends with the trusted process."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
