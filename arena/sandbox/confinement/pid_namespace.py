"""
A PID namespace for a worker, and the processes above it: the one that its caller knows, which ends as the worker ends,
and the namespace's first one. Neither holds a candle or runs a line of a strategy. Standard library only.
"""

import contextlib
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import NoReturn

from arena.sandbox.confinement import kernel
from arena.sandbox.confinement.kernel import NEWPID, NEWUSER, SET_SUBREAPER


def seclude() -> bool:
    """
    Go on in a grandchild with a PID namespace of its own, and return whether it has one. The process that called stays
    behind as its keeper, holds nothing, ends as it ends and takes its time on itself, which no orphan's escapes.

    Call it while one thread runs, and descriptors that the keeper must not hold open are none but the inheritable one
    of `main`.
    """
    if sys.platform != "linux":
        return False
    kernel.prctl(SET_SUBREAPER, 1)
    apart = kernel.libc().unshare(NEWPID) == 0
    if not apart:
        user, group = os.geteuid(), os.getegid()
        apart = kernel.libc().unshare(NEWUSER | NEWPID) == 0
        if apart:
            map_identity(user, group)
    reader, writer = os.pipe()
    if child := os.fork():
        os.close(writer)
        _keep(child, reader)
    os.close(reader)
    # this one is the namespace's first process, to which the kernel delivers no signal from within
    if apart and (worker := os.fork()):
        status = _reap(worker, keep=writer)
        os.write(writer, struct.pack("i", status))
        os._exit(0)
    os.close(writer)
    return apart


def _keep(child: int, reader: int) -> NoReturn:
    """End as the worker ended: by the same signal, or with the same exit code."""
    status = _reap(child, keep=reader)
    if told := os.read(reader, 4):
        (status,) = struct.unpack("i", told)
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


def _reap(child: int, keep: int) -> int:
    """The status of this child. Whoever else ends is waited for too: its time is not lost, and it fills no table."""
    os.closerange(0, keep)
    os.closerange(keep + 1, 1024)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            return status


def map_identity(user: int, group: int) -> None:
    """In a new user namespace everybody is who he was, and nobody else is there."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
