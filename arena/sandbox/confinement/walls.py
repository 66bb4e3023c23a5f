"""
Walls around the present process on Linux, which it puts up itself before it runs untrusted code. Standard library only.

Seven mechanisms. Each is tested after it is set; one that does not hold is reported as missing:

* namespaces     a user, network, IPC and mount namespace of its own; no interface is up in it, not even loopback
* pids           a PID namespace of its own: it sees no process number from outside, and its own numbers do not depend
  on other processes
* own-root       a root folder of its own, in memory: readable paths are mounted into it, written files stay in it, no
  other file shows its name, size or date. The memory is freed with the last process
* landlock       files: read below given paths, write below others, nothing else, execute nothing; no TCP; signals and
                 abstract sockets stay inside (kernel 6.12; before that seccomp and the network namespace do it)
* no-new-privs   no program can give rights back; memory and /proc entries of this process are closed to others
* seccomp        system calls that reach other processes, programs, sockets, mounts, identities, metadata of files,
  memory shared beyond forks, the process group or the kernel's rarer corners answer EPERM (x86_64 and aarch64); so do
  locks on files, counters of the whole machine, and what other processes can see of this one: its name, its arguments,
  its niceness, its processors
* process-limit  processes and threads that it may start, counted for this process alone

Not covered: without an own root, names, sizes and dates of files outside (stat needs no right of Landlock); memory of
all forked children together; time; what was in memory, in the first environment or in open descriptors before; what
/proc shows everybody of every process: its size, its times and its threads. Forked children are inside the same walls;
the caller kills the group. As root, the real user ID is one that nobody has, so os.access, which uses it, may say no
where open succeeds.
"""

import contextlib
import ctypes
import functools
import json
import math
import os
import platform
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arena.sandbox.confinement import kernel, pid_namespace, root_folder, system_calls
from arena.sandbox.confinement.kernel import (  # fmt: skip
    GET_NO_NEW_PRIVS,
    NEWIPC,
    NEWNET,
    NEWNS,
    NEWUSER,
    SET_DUMPABLE,
    SET_NO_NEW_PRIVS,
    SET_PDEATHSIG,
    hide_arguments,
)
from arena.sandbox.confinement.pid_namespace import map_identity

WALLS = ("namespaces", "pids", "own-root", "landlock", "no-new-privs", "seccomp", "process-limit")
"""In the order in which they are printed."""

REPOSITORY = Path(__file__).resolve().parents[3]

SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
SYSTEM_DATA = ("/usr/share/zoneinfo", "/etc/localtime", "/dev/urandom")

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_MAX_THREADS": "1",
    "PYTHONHASHSEED": "0",
}

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # Landlock's system calls, the same on every machine

# Landlock: bits of rights; each constant holds the rights that one ABI version added
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_FIRST, _REFER, _TRUNCATE, _IOCTL_DEV = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
# no making of character devices, sockets and block devices either
_NEVER = _EXECUTE | 1 << 6 | 1 << 9 | 1 << 11 | _IOCTL_DEV


class Entered(NamedTuple):
    """What `enter` has achieved."""

    namespaces: bool
    counted: bool  # whether RLIMIT_NPROC counts only this process's own children
    root: bool


def enter(read: Sequence[str | Path], write: Sequence[str | Path]) -> Entered:
    """
    The first part of `confine`; between the two, the caller can still make files in the new root. It makes namespaces
    and a root in memory, in which existing paths of `read` are mounted and `write` are new, empty folders. If the root
    cannot be made, all stays as it was.
    """
    if sys.platform != "linux":
        return Entered(False, False, False)
    if (threads := len(os.listdir("/proc/self/task"))) > 1:
        raise OSError(
            f"walls hold for the thread that puts them up, and {threads} threads run. Confine before threads start."
        )
    hide_arguments()
    separate, counted, mounts = _leave_namespaces()
    links = [Path(path) for path in (*SYSTEM, *SYSTEM_DATA, *sys.path) if path]
    root = mounts and root_folder.enter([Path(path) for path in read], [Path(path) for path in write], links)
    kernel.libc().capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[0] * 6))
    return Entered(separate, counted, root)


def confine(
    read: Sequence[str | Path], write: Sequence[str | Path], *, processes: int, entered: Entered | None = None
) -> tuple[str, ...]:
    """
    Put up every wall that this kernel supports and return the names of those that do not hold, () for none. Not
    reversible. `pids` is never among them: the caller gets it from `pid_namespace.seclude`.

    `read` and everything below it can be read; `write` and `/dev/null` can be read and written. The rest of the file
    system is closed, `/proc` too, so read what you need there before (`limits` does). `processes` is how many processes
    and threads may run beside this one. The caller sets death signal, descriptors and process group. `entered` is what
    `enter` returned, if it was called before.

    Raises
    ------
    OSError
        More than one thread runs, and the walls would hold for this one only; or a path does not exist, or cannot be
        read within the walls, where root has only the owner's rights.
    """
    if sys.platform != "linux":
        return WALLS
    if entered is None:
        entered = enter(read, write)
    holds = {"pids": True, "namespaces": entered.namespaces, "own-root": entered.root}
    holds["process-limit"] = entered.counted and _limit_processes(processes)
    kernel.prctl(SET_DUMPABLE, 0)
    kernel.prctl(SET_NO_NEW_PRIVS, 1)
    holds["no-new-privs"] = kernel.prctl(GET_NO_NEW_PRIVS) == 1
    holds["landlock"], scoped = _close_files([Path(p) for p in read], [Path(p) for p in write])
    holds["seccomp"] = system_calls.refuse(signals_scoped=scoped)
    for paths, right, verb in ((read, os.R_OK, "read"), (write, os.R_OK | os.W_OK, "written")):
        for path in paths:
            if not os.access(path, right, effective_ids=True):
                raise OSError(
                    f"{path} cannot be {verb} within the walls: it belongs to another user, or a folder above it does"
                )
    return tuple(name for name in WALLS if not holds[name])


def limits(*, memory_mb: int, file_kb: int | None = None, descriptors: int = 256, cpu_s: float | None = None) -> None:
    """
    Set hard limits of this process: address space beyond what is in use already, size of a file (None: unchanged),
    descriptors, pending signals and timers, CPU time, after which SIGKILL ends it; no core file.

    Call it before `enter` or `confine`, which close /proc and set the limit on processes. The limits apply to each
    child separately.
    """
    try:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except FileNotFoundError:  # not Linux
        taken = 0
    if file_kb is not None:
        limit_files(file_kb)
    for kind, limit in (
        (resource.RLIMIT_AS, taken + memory_mb * 1024 * 1024),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_CORE, 0),
        # far below the limit that all processes of one user share
        *([(resource.RLIMIT_SIGPENDING, 256)] if sys.platform == "linux" else []),
        *([(resource.RLIMIT_CPU, math.ceil(cpu_s))] if cpu_s is not None else []),
    ):
        _limit(kind, limit)


def limit_files(kb: int) -> None:
    """Limit the size of every file that this process writes."""
    _limit(resource.RLIMIT_FSIZE, kb * 1024)


def _limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS defines the memory limit but refuses to set it
        resource.setrlimit(kind, (limit, limit))


def clean_environment(keep: Mapping[str, str]) -> None:
    """
    Reduce the environment to ENVIRONMENT and `keep`; temporary files go to keep["HOME"] too.

    The first environment stays in the process's memory, where ctypes can read it: start the fork server without
    secrets.
    """
    kept = ENVIRONMENT | ({"TMPDIR": keep["HOME"]} if "HOME" in keep else {}) | dict(keep)
    os.environ.clear()
    os.environ.update(kept)
    tempfile.tempdir = None  # determined anew
    time.tzset()


def readable() -> list[Path]:
    """
    What Python and its packages load while they run: libraries, time zones, randomness. Never a folder that holds the
    repository.
    """
    standard = [
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        *(f"{sys.base_prefix}/{lib}" for lib in ("lib", "lib64")),
    ]
    packages = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    paths = dict.fromkeys(
        Path(candidate).resolve()
        for candidate in (*SYSTEM, *standard, *packages, *SYSTEM_DATA)
        if candidate and Path(candidate).exists()
    )
    return [path for path in paths if path not in (REPOSITORY, *REPOSITORY.parents)]


@functools.cache
def missing() -> tuple[str, ...]:
    """Walls that do not hold on this machine, as tested in a child process; all of them if it does not answer."""
    if sys.platform != "linux":
        return WALLS
    with tempfile.TemporaryDirectory(prefix="touchstone-") as scratch:
        probe = [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from arena.sandbox.confinement import walls; "
            f"walls.probe({scratch!r})",
        ]
        try:
            process = subprocess.run(probe, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=True)
            return tuple(name for name in WALLS if name in json.loads(process.stdout))
        except (OSError, subprocess.SubprocessError, ValueError):
            return WALLS


def probe(scratch: str) -> None:
    """Runs in the child process of `missing`: put up every wall and print the names of those that do not hold."""
    secluded = pid_namespace.seclude()
    absent = confine(readable(), [scratch], processes=4)
    print(json.dumps([name for name in WALLS if name in absent or (name == "pids" and not secluded)]), flush=True)


def die_with_parent() -> None:
    """
    Linux: get SIGKILL when the parent ends, for whatever reason. Forked children do not inherit this and call it again.
    """
    if sys.platform == "linux":
        kernel.prctl(SET_PDEATHSIG, signal.SIGKILL)


def level() -> str:
    """`full`, `without landlock, seccomp`, or `limits-only`."""
    absent = missing()
    if absent == WALLS:
        return "limits-only"
    return f"without {', '.join(absent)}" if absent else "full"


def _leave_namespaces() -> tuple[bool, bool, bool]:
    """
    Make new namespaces. Returns whether they hold, whether RLIMIT_NPROC now counts only this process's own children,
    and whether it has its own mounts.

    A user namespace lets an ordinary user do it, and from Linux 5.14 on has its own process count; root needs none. The
    limit does not apply to root, so root takes a real user ID that nobody has; files are opened by the effective one.
    """
    user, group = os.geteuid(), os.getegid()
    counted = mounts = False
    if user == 0:
        with contextlib.suppress(OSError):
            # based on the PID outside, which is unique
            os.setresuid(0x40000000 + int(os.readlink("/proc/self")), user, user)
            counted = True
    before = _network()
    for flags in (NEWUSER | NEWNET | NEWIPC | NEWNS, NEWUSER | NEWNET, NEWNET | NEWIPC | NEWNS, NEWNET):
        if kernel.libc().unshare(flags) == 0:
            mounts = bool(flags & NEWNS)
            if flags & NEWUSER:
                map_identity(user, group)
                counted |= tuple(int(n) for n in re.findall(r"\d+", platform.release())[:2]) >= (5, 14)
            break
    return _network() != before and not _reaches_loopback(), counted, mounts


def _network() -> str:
    return os.readlink("/proc/self/ns/net")


def _reaches_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
            connection.connect(("127.0.0.1", 9))  # sends nothing
    except OSError:
        return False
    return True


def _limit_processes(processes: int) -> bool:
    """Set the limit. Returns whether it holds: with 0 processes allowed, a fork must fail."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    allowed = processes + 1 if hard == resource.RLIM_INFINITY else min(processes + 1, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    try:
        child = os.fork()
    except BlockingIOError:
        return True
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (allowed, allowed))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return False


def _close_files(read: Iterable[Path], write: Iterable[Path]) -> tuple[bool, bool]:
    """Apply Landlock. Returns whether it holds, and whether it keeps signals inside."""
    abi = kernel.libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return False, False
    files = _FIRST | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (_IOCTL_DEV if abi >= 5 else 0)
    attribute = struct.pack("QQQ", files, 3, 3)  # bind and connect; abstract sockets and signals
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = kernel.libc().syscall(_CREATE_RULESET, attribute, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False, False
    try:
        for path in read:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in write:
            _allow(ruleset, path, files & ~_NEVER)
        _allow(ruleset, Path("/dev/null"), files & (_READ_FILE | _WRITE_FILE | _TRUNCATE))
        closed = kernel.libc().syscall(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)
    return closed and not _opens("/") and not _opens("/proc/self/status"), closed and abi >= 6


def _allow(ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & _OF_FILES, descriptor)
        if kernel.libc().syscall(_ADD_RULE, ruleset, 1, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"Landlock takes no rule for {path}")
    finally:
        os.close(descriptor)


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True
