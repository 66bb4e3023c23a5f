"""Kernel calls for which Python has no function. Standard library only."""

import ctypes
import functools
from pathlib import Path

SET_PDEATHSIG, SET_DUMPABLE, SET_NAME, SET_SECCOMP, SET_NO_NEW_PRIVS, GET_NO_NEW_PRIVS = 1, 4, 15, 22, 38, 39
SET_MM, SET_MM_MAP, SET_SUBREAPER, SET_PTRACER = 35, 14, 36, 0x59616D61
"""Options of prctl."""
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
"""Flags of unshare and clone."""


@functools.cache
def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int = 0, pointer: bytes | None = None) -> int:
    return libc().prctl(option, ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0))


def hide_arguments() -> None:
    """
    Hide arguments and first environment from /proc: it shows the process's own memory, into which the process could
    write a message. Kernels without checkpoint support cannot do this.
    """
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()  # field 3 of proc(5) comes first
    code, data, brk, stack, argument, environment = (int(stat[n - 3]) for n in (26, 45, 47, 28, 48, 50))
    heap = libc().sbrk
    heap.restype, heap.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
    fields = (code, int(stat[24]), data, int(stat[43]), brk, 0, stack, argument, argument, environment, environment, 0)
    table = (ctypes.c_uint64 * 13)(*fields, 0xFFFFFFFF << 32)  # no auxiliary vector; the executable stays
    table[5] = heap(0)
    libc().prctl(SET_MM, ctypes.c_ulong(SET_MM_MAP), table, ctypes.c_ulong(ctypes.sizeof(table)), ctypes.c_ulong(0))
