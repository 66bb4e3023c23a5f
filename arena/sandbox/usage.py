"""
CPU time that a process and its descendants have used, and whether they want more, read from /proc. Linux only;
elsewhere nothing is known.

The kernel adds the time of an ended process to the process that waited for it. So no time is lost as long as every
orphan has a process that waits for it (`pid_namespace.seclude`) and no process may ignore the end of a child
(`system_calls`: SIGCHLD). A reading may be too low once, while a process changes its parent; the next reading is right.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_EAGER = ("R", "D")
"""States of a thread that runs, or would run if a processor or a disk were free."""


class Usage(NamedTuple):
    cpu_s: float  # all processes together, ended ones included
    eager: bool  # whether any thread runs, or would run if it could


def of(pid: int) -> Usage | None:
    """Usage of this process and its descendants; None where nothing can be read."""
    cpu_ticks, eager, readable = 0, False, False
    for member in _members(pid):
        fields = _stat(f"/proc/{member}/stat")
        if fields is None:
            continue
        readable = True
        cpu_ticks += sum(map(int, fields[11:15]))  # utime, stime, and those of children that were waited for
        eager = (
            eager
            or fields[0] in _EAGER
            or any(_state(member, thread) in _EAGER for thread in _names(f"/proc/{member}/task"))
        )
    return Usage(cpu_ticks / _TICKS, eager) if readable else None


def _members(pid: int) -> Iterator[int]:
    """
    The process and its descendants; where the kernel lists no children, its process group, which no member can leave.
    """
    if not os.path.exists(f"/proc/{pid}/task/{pid}/children"):
        yield from (
            int(name)
            for name in _names("/proc")
            if name.isdigit() and (fields := _stat(f"/proc/{name}/stat")) and int(fields[2]) == pid
        )
        return
    waiting = [pid]
    while waiting:
        yield (member := waiting.pop())
        for thread in _names(f"/proc/{member}/task"):
            try:
                waiting += map(int, Path(f"/proc/{member}/task/{thread}/children").read_text().split())
            except OSError:
                continue


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _state(pid: int, thread: str) -> str:
    fields = _stat(f"/proc/{pid}/task/{thread}/stat")
    return fields[0] if fields else ""


def _stat(path: str) -> list[str] | None:
    """Fields of proc(5) from the third one on, the state. The second field is a name and may hold anything."""
    try:
        return Path(path).read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
