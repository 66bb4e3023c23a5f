"""
What a process and all that it started have used and want, read from /proc by the process that looks after them. Linux
alone; elsewhere nothing is known.

Time of those that ended counts with the one that waited for them, so nothing is lost as long as whoever is left behind
has somebody to wait for it (`walls.seclude`) and nobody may ignore the end of a child (`walls`: SIGCHLD). What is read
while a process changes hands may be short of it once; the next look has it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_EAGER = ("R", "D")
"""States of a thread that runs, or would if a processor or a disk were free."""


class Usage(NamedTuple):
    cpu_s: float  # of all of them, ended ones included
    eager: bool  # whether any of their threads runs, or would if it could


def of(pid: int) -> Usage | None:
    """Of this process and everything below it; None where nothing can be read."""
    cpu, eager, seen = 0, False, False
    for member in _members(pid):
        fields = _stat(f"/proc/{member}/stat")
        if fields is None:
            continue
        seen = True
        cpu += sum(map(int, fields[11:15]))  # utime, stime, and those of children that were waited for
        eager = (
            eager
            or fields[0] in _EAGER
            or any(_state(member, thread) in _EAGER for thread in _names(f"/proc/{member}/task"))
        )
    return Usage(cpu / _TICKS, eager) if seen else None


def _members(pid: int) -> Iterator[int]:
    """
    The process and everything below it; where the kernel keeps no list of children, its process group, which nobody in
    it can leave.
    """
    if not os.path.exists(f"/proc/{pid}/task/{pid}/children"):
        yield from (
            int(name)
            for name in _names("/proc")
            if name.isdigit() and (told := _stat(f"/proc/{name}/stat")) and int(told[2]) == pid
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
    """Fields of proc(5) from the third on, the state: the second is a name and may hold anything."""
    try:
        return Path(path).read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
