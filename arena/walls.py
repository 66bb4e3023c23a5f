"""
Walls around the present process on Linux, put up by itself before it runs code that nobody has read. Standard library only.

Five mechanisms, each tried after it is set; what does not hold is named as missing, never assumed:

* namespaces     a user, network, IPC and mount namespace of its own; no interface is up in it, not even loopback
* landlock       files: read below given paths, write below others, nothing else, execute nothing; no TCP; signals and
                 abstract sockets stay inside (kernel 6.12; before that seccomp and the network namespace do it)
* no-new-privs   no program can give rights back; memory and /proc entries of this process are closed to others
* seccomp        system calls that reach other processes, programs, sockets, mounts, identities, metadata of files, memory
                 shared beyond forks, the process group or the kernel's rarer corners answer EPERM (x86_64 and aarch64)
* process-limit  processes and threads that it may start, counted for this process alone

Not covered: names, sizes and dates of files outside (stat asks no right of Landlock); the number of files written and
their sum; memory of all forked children together; time; what was in memory, in the first environment or in open
descriptors before. Children that it forks are inside the same walls, but the parent's death does not end them: the
caller kills the group. There is no PID namespace: it would hold for one child and its descendants only, and with
it set a process starts no more threads. As root, the real user ID is one that nobody has, so os.access, which asks for it,
may say no where open says yes.
"""

import contextlib
import ctypes
import functools
import json
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
from errno import ENOSYS, EPERM
from pathlib import Path

WALLS = ("namespaces", "landlock", "no-new-privs", "seccomp", "process-limit")
"""In the order of printing."""

REPOSITORY = Path(__file__).resolve().parent.parent

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

_NEWNS, _NEWIPC, _NEWUSER, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x40000000
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVS, _GET_NO_NEW_PRIVS, _SET_PTRACER = 1, 4, 22, 38, 39, 0x59616D61
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # Landlock's system calls, the same on every machine

# Landlock: bits of rights; each constant is what an ABI brought
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_FIRST, _REFER, _TRUNCATE, _IOCTL_DEV = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_NEVER = _EXECUTE | 1 << 6 | 1 << 9 | 1 << 11 | _IOCTL_DEV  # nor make character devices, sockets and block devices

# Names with their numbers on x86_64:aarch64. Not memory and files: those Landlock and the limits bound.
_REFUSED = """
ptrace 101:117 process_vm_readv 310:270 process_vm_writev 311:271 kcmp 312:272 pidfd_open 434:434 pidfd_getfd 438:438
pidfd_send_signal 424:424 process_madvise 440:440 process_mrelease 448:448 rt_sigqueueinfo 129:138 rt_tgsigqueueinfo 297:240
setpriority 141:140 ioprio_set 251:30 sched_setparam 142:118 sched_setscheduler 144:119 sched_setattr 314:274
migrate_pages 256:238 move_pages 279:239
execve 59:221 execveat 322:281 personality 135:92 uselib 134:-
setsid 112:157 setpgid 109:154
socket 41:198 connect 42:203 bind 49:200 listen 50:201 accept 43:202 accept4 288:242
unshare 272:97 setns 308:268 mount 165:40 umount2 166:39 pivot_root 155:41 chroot 161:51 open_tree 428:428 open_tree_attr 467:467
move_mount 429:429 fsopen 430:430 fsconfig 431:431 fsmount 432:432 fspick 433:433 mount_setattr 442:442 statmount 457:457
listmount 458:458 name_to_handle_at 303:264 open_by_handle_at 304:265
setuid 105:146 setgid 106:144 setreuid 113:145 setregid 114:143 setresuid 117:147 setresgid 119:149 setgroups 116:159
setfsuid 122:151 setfsgid 123:152 capset 126:91
chmod 90:- fchmod 91:52 fchmodat 268:53 fchmodat2 452:452 chown 92:- lchown 94:- fchown 93:55 fchownat 260:54 utime 132:-
utimes 235:- utimensat 280:88 futimesat 261:- setxattr 188:5 lsetxattr 189:6 fsetxattr 190:7 setxattrat 463:463
removexattr 197:14 lremovexattr 198:15 fremovexattr 199:16 removexattrat 466:466 file_setattr 469:469 truncate 76:45
shmget 29:194 shmat 30:196 shmctl 31:195 shmdt 67:197 semget 64:190 semop 65:193 semtimedop 220:192 semctl 66:191
msgget 68:186 msgsnd 69:189 msgrcv 70:188 msgctl 71:187 mq_open 240:180 mq_unlink 241:181 memfd_create 319:279
memfd_secret 447:447 add_key 248:217 request_key 249:218 keyctl 250:219
bpf 321:280 perf_event_open 298:241 userfaultfd 323:282 io_uring_setup 425:425 io_uring_enter 426:426 io_uring_register 427:427
init_module 175:105 finit_module 313:273 delete_module 176:106 kexec_load 246:104 kexec_file_load 320:294 reboot 169:142
swapon 167:224 swapoff 168:225 acct 163:89 quotactl 179:60 quotactl_fd 443:443 syslog 103:116 sethostname 170:161
setdomainname 171:162 settimeofday 164:170 clock_settime 227:112 adjtimex 159:171 clock_adjtime 305:266 iopl 172:- ioperm 173:-
modify_ldt 154:- lookup_dcookie 212:18 nfsservctl 180:42 vhangup 153:58 fanotify_init 300:262 inotify_init 253:- inotify_init1 294:26
"""
_CLONE_FLAGS = 0x7E020000 | 0x8000 | 0x2000  # every new namespace; a child of one's parent; the parent's tracer
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, and what the kernel calls the machine


def confine(read: Sequence[str | Path], write: Sequence[str | Path], *, processes: int) -> tuple[str, ...]:
    """
    Put up every wall that this kernel gives and return the names of those that do not hold, () for none. Not reversible.

    `read` and what lies below it can be read, `write` can be read and written, `/dev/null` always; everything else of
    the file system is closed, `/proc` too, so what must be asked there is asked before (`limits` does). `processes` is
    how many processes and threads may run beside this one. Death signal, descriptors and process group are the caller's.

    Raises
    ------
    OSError
        More than one thread runs, the walls would hold for this one only; or a path is not there, or cannot be read
        within the walls: as root one is left with what the owner may, whatever root may do outside.
    """
    if sys.platform != "linux":
        return WALLS
    if (threads := len(os.listdir("/proc/self/task"))) > 1:
        raise OSError(f"walls hold for the thread that puts them up, and {threads} threads run. Confine before threads start.")
    alone, counted = _leave_namespaces()
    holds = {"namespaces": alone, "process-limit": counted and _limit_processes(processes)}
    _prctl(_SET_DUMPABLE, 0)
    _prctl(_SET_NO_NEW_PRIVS, 1)
    holds["no-new-privs"] = _prctl(_GET_NO_NEW_PRIVS) == 1
    holds["landlock"], scoped = _close_files([Path(p) for p in read], [Path(p) for p in write])
    holds["seccomp"] = _refuse_calls(signals_scoped=scoped)
    for paths, right, verb in ((read, os.R_OK, "read"), (write, os.R_OK | os.W_OK, "written")):
        for path in paths:
            if not os.access(path, right, effective_ids=True):
                raise OSError(f"{path} cannot be {verb} within the walls: it belongs to another user, or a folder above it does")
    return tuple(name for name in WALLS if not holds[name])


def limits(*, memory_mb: int, file_kb: int, descriptors: int = 256) -> None:
    """
    Hard limits of this process: address space beyond what is taken already, size of a file, descriptors; no core file.

    Call it before `confine`, which closes /proc and sets the limit on processes. Each child has these limits for itself.
    """
    try:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except FileNotFoundError:  # not Linux
        taken = 0
    for kind, limit in (
        (resource.RLIMIT_AS, taken + memory_mb * 1024 * 1024),
        (resource.RLIMIT_FSIZE, file_kb * 1024),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows the limit on memory and refuses to set it
            resource.setrlimit(kind, (limit, limit))


def clean_environment(keep: Mapping[str, str]) -> None:
    """
    ENVIRONMENT and `keep`, nothing else; keep["HOME"] is where temporary files go too.

    The process's first environment stays in its memory, where ctypes finds it: start the fork server without secrets.
    """
    kept = ENVIRONMENT | ({"TMPDIR": keep["HOME"]} if "HOME" in keep else {}) | dict(keep)
    os.environ.clear()
    os.environ.update(kept)
    tempfile.tempdir = None  # asked again
    time.tzset()


def readable() -> list[Path]:
    """What Python and its packages load while they run: libraries, time zones, randomness. Never a folder around the repository."""
    standard = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *(f"{sys.base_prefix}/{lib}" for lib in ("lib", "lib64"))]
    packages = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    found = dict.fromkeys(Path(p).resolve() for p in (*SYSTEM, *standard, *packages, *SYSTEM_DATA) if p and Path(p).exists())
    return [path for path in found if path not in (REPOSITORY, *REPOSITORY.parents)]


@functools.cache
def missing() -> tuple[str, ...]:
    """Walls that do not hold on this machine, found out by a child process that tries. One that does not answer has none."""
    if sys.platform != "linux":
        return WALLS
    with tempfile.TemporaryDirectory(prefix="touchstone-") as scratch:
        probe = [sys.executable, "-I", "-S", __file__, scratch]
        try:
            done = subprocess.run(probe, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=True)
            return tuple(name for name in WALLS if name in json.loads(done.stdout))
        except (OSError, subprocess.SubprocessError, ValueError):
            return WALLS


def die_with_parent() -> None:
    """Linux: SIGKILL when the parent ends, however it ends. A forked child does not inherit it and asks for itself."""
    if sys.platform == "linux":
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)


def level() -> str:
    """`full`, `without landlock, seccomp`, or `limits-only`."""
    absent = missing()
    if absent == WALLS:
        return "limits-only"
    return f"without {', '.join(absent)}" if absent else "full"


def _leave_namespaces() -> tuple[bool, bool]:
    """
    New namespaces and no capability. Whether they hold, and whether RLIMIT_NPROC now counts this process's own alone.

    A user namespace is what lets a plain user do it, and from Linux 5.14 on it counts for itself; root may do without.
    Root's processes are under no such limit, so root takes a real user ID that nobody has; files are opened by the effective one.
    """
    user, group = os.geteuid(), os.getegid()
    counted = False
    if user == 0:
        with contextlib.suppress(OSError):
            os.setresuid(0x40000000 + os.getpid(), user, user)
            counted = True
    before = _network()
    for flags in (_NEWUSER | _NEWNET | _NEWIPC | _NEWNS, _NEWUSER | _NEWNET, _NEWNET | _NEWIPC | _NEWNS, _NEWNET):
        if _libc().unshare(flags) == 0:
            if flags & _NEWUSER:
                Path("/proc/self/setgroups").write_text("deny")
                Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
                Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
                counted |= tuple(int(n) for n in re.findall(r"\d+", platform.release())[:2]) >= (5, 14)
            break
    _libc().capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[0] * 6))
    return _network() != before and not _reaches_loopback(), counted


def _network() -> str:
    return os.readlink("/proc/self/ns/net")


def _reaches_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.connect(("127.0.0.1", 9))  # sends nothing
    except OSError:
        return False
    return True


def _limit_processes(processes: int) -> bool:
    """Whether RLIMIT_NPROC holds: with none allowed, the attempt to fork one fails."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    own = processes + 1 if hard == resource.RLIM_INFINITY else min(processes + 1, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    try:
        child = os.fork()
    except BlockingIOError:
        return True
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (own, own))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return False


def _close_files(read: Iterable[Path], write: Iterable[Path]) -> tuple[bool, bool]:
    """Landlock. Whether it holds, and whether it keeps signals inside."""
    abi = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return False, False
    files = _FIRST | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (_IOCTL_DEV if abi >= 5 else 0)
    attribute = struct.pack("QQQ", files, 3, 3)  # bind and connect; abstract sockets and signals
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _libc().syscall(_CREATE_RULESET, attribute, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False, False
    try:
        for path in read:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in write:
            _allow(ruleset, path, files & ~_NEVER)
        _allow(ruleset, Path("/dev/null"), files & (_READ_FILE | _WRITE_FILE | _TRUNCATE))
        closed = _libc().syscall(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)
    return closed and not _opens("/") and not _opens("/proc/self/status"), closed and abi >= 6


def _allow(ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        below = struct.pack("=Qi", rights if path.is_dir() else rights & _OF_FILES, descriptor)
        if _libc().syscall(_ADD_RULE, ruleset, 1, below, 0) != 0:
            raise OSError(ctypes.get_errno(), f"Landlock takes no rule for {path}")
    finally:
        os.close(descriptor)


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


def _refuse_calls(*, signals_scoped: bool) -> bool:
    """The seccomp filter. Whether it holds."""
    if platform.machine() not in _MACHINES or sys.maxsize < 1 << 32:
        return False
    program = _filter(*_MACHINES[platform.machine()], own=None if signals_scoped else os.getpid())
    buffer = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    if _prctl(_SET_SECCOMP, 2, header) != 0:
        return False
    try:
        socket.socket(socket.AF_UNIX).close()
    except PermissionError:
        return _libc().personality(0xFFFFFFFF) == -1  # would only ask
    return False


def _filter(column: int, machine: int, own: int | None) -> list[bytes]:
    """A program of classic BPF over number and arguments of a system call. `own`: the one process that signals may reach, None for any."""
    load, equal, at_least, jump, mask, answer = 0x20, 0x15, 0x35, 0x05, 0x54, 0x06
    allowed, refused, unknown = 0x7FFF0000, 0x50000 | EPERM, 0x50000 | ENOSYS

    def line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    program = [line(load, 4), line(equal, machine, 1), line(answer, refused), line(load, 0)]
    program += [line(at_least, 0x40000000, 0, 1), line(answer, refused)]  # x32: the same calls under other numbers
    words = _REFUSED.split()
    for numbers in words[1::2]:
        if (number := numbers.split(":")[column]) != "-":
            program += [line(equal, int(number), 0, 1), line(answer, refused)]
    program += [line(equal, 435, 0, 1), line(answer, unknown)]  # clone3 has its flags in memory; libc falls back to clone

    def check(numbers: tuple[int, int], *parts: tuple[int, bool, Sequence[int], int]) -> None:
        """Of this call: (argument, whether it must be one of the values or none of them, values, mask)."""
        rest: list[bytes] = []
        for argument, must, values, bits in parts:
            rest += [line(load, 16 + 8 * argument), line(mask, bits)]
            rest += [line(equal, value, len(values) - i) for i, value in enumerate(values)]
            rest += [line(answer, refused)] if must else [line(jump, 1), line(answer, refused)]
        program.extend([line(equal, numbers[column], 0, len(rest) + 1), *rest, line(answer, allowed)])

    every = 0xFFFFFFFF
    if own is not None:
        for numbers in ((62, 129), (200, 130), (234, 131)):  # kill, tkill, tgkill
            check(numbers, (0, True, (own,), every))
    check((56, 220), (0, True, (0,), _CLONE_FLAGS))
    # a forked child may bind its life to its parent's, as the caller bound this process's; nobody may undo that
    program += [line(equal, (157, 167)[column], 0, 7), line(load, 16), line(equal, _SET_PDEATHSIG, 0, 4), line(load, 24)]
    program += [line(equal, signal.SIGKILL, 0, 1), line(answer, allowed), line(answer, refused), line(load, 0)]
    check((157, 167), (0, False, (_SET_PDEATHSIG, _SET_DUMPABLE, _SET_PTRACER), every))
    check((302, 261), (0, True, (0,), every))  # prlimit64, which is how libc reads and sets one's own limits too
    check((203, 122), (0, True, (0, os.getpid()), every))  # sched_setaffinity
    # streams alone: a datagram socket of a pair can send to any socket file by its path
    check((53, 199), (0, True, (socket.AF_UNIX,), every), (1, True, (socket.SOCK_STREAM,), 0xF))
    check((16, 29), (1, False, (0x5412,), every))  # TIOCSTI types into a terminal
    check((72, 25), (1, False, (8, 15), every))  # F_SETOWN and F_SETOWN_EX send signals
    return [*program, line(answer, allowed)]


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int = 0, pointer: bytes | None = None) -> int:
    return _libc().prctl(option, ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0))


if __name__ == "__main__":  # the probe of missing()
    print(json.dumps(confine(readable(), sys.argv[1:], processes=4)))
