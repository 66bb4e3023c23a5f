"""Waiting for something to happen, and never for some time to pass."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import psutil

PATIENCE_S = 600
"""After which a test fails that waits in vain: far more than a busy machine needs."""
POLL_S = 0.02

HEARS_CTRL_C = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
"""
For Popen: who runs tests may ignore SIGINT (a shell's background, a process of xdist), and what it starts would inherit
that.
"""


def until(condition: Callable[[], Any], process: subprocess.Popen | None = None) -> Any:
    """What the condition gives once it holds; fails when `process` ends before, or after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(POLL_S)
    return value


def until_said(process: subprocess.Popen, words: str) -> str:
    """Lines of standard error up to one with these words."""
    lines = []
    while not lines or words not in lines[-1]:
        lines.append(process.stderr.readline())
        assert lines[-1], f"it ended and never said {words!r}: {''.join(lines)}"
    return "".join(lines)


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
