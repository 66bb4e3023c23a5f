"""
A PID namespace for a worker, and the two processes above it: the keeper, which the caller knows and which ends as the
worker ends, and the namespace's first process. Neither holds a candle or runs strategy code. Standard library only.
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
    Continue in a grandchild in its own PID namespace, and return whether it has one. The calling process stays as its
    keeper: it holds nothing, ends as the grandchild ends, and collects its CPU time and that of every orphan.

    Call it while one thread runs and the pipe of `main` is the only descriptor that the keeper must not hold open.
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
    # this is the namespace's first process, to which the kernel delivers no signal from inside
    if apart and (worker := os.fork()):
        status = _reap(worker, keep=writer)
        os.write(writer, struct.pack("i", status))
        os._exit(0)
    os.close(writer)
    return apart


def _keep(child: int, reader: int) -> NoReturn:
    """End as the worker ended: with the same signal or exit code."""
    status = _reap(child, keep=reader)
    if report := os.read(reader, 4):
        (status,) = struct.unpack("i", report)
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


def _reap(child: int, keep: int) -> int:
    """
    The exit status of this child. We also wait for every other process that ends, so that its time counts and its entry
    in the process table is freed.
    """
    os.closerange(0, keep)
    os.closerange(keep + 1, 1024)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return status


def map_identity(user: int, group: int) -> None:
    """Map this user and group to themselves in a new user namespace, and no others."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
