"""
The seccomp filter of the walls: which system calls a worker may make, on x86_64 and aarch64. Standard library only.

The filter refuses what reaches other processes, programs, sockets, mounts, identities, metadata of files, memory shared
beyond forks, the process group and rarely used parts of the kernel. It also refuses what two processes that share
nothing could communicate through: locks, leases and flags of a file that both may read, waiting for a word of memory in
it, counters of the whole machine, clocks and processors of another process, a name that /proc shows everybody.

Not covered: time, and so how two processes slow each other down; serial numbers of new pipes and sockets; counters that
the kernel keeps per user, such as pages in pipes.
"""

import ctypes
import os
import platform
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from errno import ENOSYS, EPERM

from arena.sandbox.confinement import kernel
from arena.sandbox.confinement.kernel import SET_DUMPABLE, SET_MM, SET_NAME, SET_PDEATHSIG, SET_PTRACER, SET_SECCOMP

_VFORK = 0x4000
# Names with their numbers on x86_64:aarch64. Memory and files are bounded by Landlock and the limits.
_REFUSED = """
ptrace 101:117 process_vm_readv 310:270 process_vm_writev 311:271 kcmp 312:272 pidfd_open 434:434 pidfd_getfd 438:438
pidfd_send_signal 424:424 process_madvise 440:440 process_mrelease 448:448 rt_sigqueueinfo 129:138 rt_tgsigqueueinfo 297:240
setpriority 141:140 getpriority 140:141 ioprio_set 251:30 ioprio_get 252:31 sched_setaffinity 203:122 sched_setparam 142:118 sched_setscheduler 144:119 sched_setattr 314:274
migrate_pages 256:238 move_pages 279:239
vfork 58:- execve 59:221 execveat 322:281 personality 135:92 uselib 134:-
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
flock 73:32 sysinfo 99:179 mincore 27:232 io_setup 206:0 fadvise64 221:223 readahead 187:213 sync 162:81 syncfs 306:267 cachestat 451:451
futex_wake 454:454 futex_wait 455:455 futex_requeue 456:456 futex_waitv 449:449 remap_file_pages 216:234
setdomainname 171:162 settimeofday 164:170 clock_settime 227:112 adjtimex 159:171 clock_adjtime 305:266 iopl 172:- ioperm 173:-
modify_ldt 154:- lookup_dcookie 212:18 nfsservctl 180:42 vhangup 153:58 fanotify_init 300:262 inotify_init 253:- inotify_init1 294:26
"""
# refused for clone: new namespaces, CLONE_PARENT, CLONE_PTRACE, CLONE_VFORK
_CLONE_FLAGS = 0x7E020000 | 0x8000 | 0x2000 | _VFORK
# allowed: descriptors and their flags; no lock, lease, notice or hint on a file, no size of a pipe
_FCNTL = (0, 1, 2, 3, 4, 1030)
# allowed: terminal queries, FIONREAD, FIONBIO, close on exec; no flag of a file
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# refused on a file's page: all that wakes or persists; waiting stays allowed, for pthread_join, which the kernel wakes
_SHARED_FUTEX = (1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13)
# column above, and the kernel's code of the machine
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def refuse(*, signals_scoped: bool) -> bool:
    """Install the seccomp filter. Returns whether it holds."""
    if platform.machine() not in MACHINES or sys.maxsize < 1 << 32:
        return False
    instructions = program(*MACHINES[platform.machine()], own=None if signals_scoped else os.getpid())
    buffer = ctypes.create_string_buffer(b"".join(instructions))
    header = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(buffer))
    if kernel.prctl(SET_SECCOMP, 2, header) != 0:
        return False
    try:
        socket.socket(socket.AF_UNIX).close()
    except PermissionError:
        return kernel.libc().personality(0xFFFFFFFF) == -1  # would only query
    return False


def program(column: int, machine: int, own: int | None) -> list[bytes]:
    """
    A classic BPF program over a system call's number and arguments. `own`: the only process that signals may reach,
    None for any.
    """
    load, equal, at_least, jump, mask, answer = 0x20, 0x15, 0x35, 0x05, 0x54, 0x06
    allowed, refused, unknown = 0x7FFF0000, 0x50000 | EPERM, 0x50000 | ENOSYS

    def line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    lines = [line(load, 4), line(equal, machine, 1), line(answer, refused), line(load, 0)]
    lines += [line(at_least, 0x40000000, 0, 1), line(answer, refused)]  # x32: the same calls under other numbers
    words = _REFUSED.split()
    for pair in words[1::2]:
        if (number := pair.split(":")[column]) != "-":
            lines += [line(equal, int(number), 0, 1), line(answer, refused)]
    lines += [line(equal, 435, 0, 1), line(answer, unknown)]  # clone3 has its flags in memory; libc falls back to clone

    def check(numbers: tuple[int, int], *parts: tuple[int, bool, Sequence[int], int]) -> None:
        """
        Check arguments of one call; each part is (argument, True: it must be one of the values, False: none of them,
        values, mask).
        """
        checks: list[bytes] = []
        for argument, must, values, bits in parts:
            checks += [line(load, 16 + 8 * argument), line(mask, bits)]
            checks += [line(equal, value, len(values) - i) for i, value in enumerate(values)]
            checks += [line(answer, refused)] if must else [line(jump, 1), line(answer, refused)]
        lines.extend([line(equal, numbers[column], 0, len(checks) + 1), *checks, line(answer, allowed)])

    all_bits = 0xFFFFFFFF
    if own is not None:
        for numbers in ((62, 129), (200, 130), (234, 131)):  # kill, tkill, tgkill
            check(numbers, (0, True, (own,), all_bits))
    check((56, 220), (0, True, (0,), _CLONE_FLAGS))
    # a forked child may ask to be killed with its parent, as this process did; no process may undo that
    lines += [line(equal, (157, 167)[column], 0, 7), line(load, 16), line(equal, SET_PDEATHSIG, 0, 4), line(load, 24)]
    lines += [line(equal, signal.SIGKILL, 0, 1), line(answer, allowed), line(answer, refused), line(load, 0)]
    check((157, 167), (0, False, (SET_PDEATHSIG, SET_DUMPABLE, SET_NAME, SET_MM, SET_PTRACER), all_bits))
    # CPU time of a child whose end is ignored would be lost: the action for SIGCHLD may be queried, not set
    lines += [line(equal, (13, 134)[column], 0, 8), line(load, 16), line(equal, signal.SIGCHLD, 0, 4), line(load, 24)]
    lines += [line(equal, 0, 0, 3), line(load, 28), line(equal, 0, 0, 1), line(answer, allowed), line(answer, refused)]
    # prlimit64, with which libc also reads and sets a process's own limits
    check((302, 261), (0, True, (0,), all_bits))
    check((204, 123), (0, True, (0, os.getpid()), all_bits))  # sched_getaffinity
    for numbers in ((228, 113), (229, 114), (230, 115), (222, 107)):  # clocks of other processes have negative numbers
        check(numbers, (0, True, (0,), 0x80000000))
    # streams only: a datagram socket of a pair can send to any socket file by its path
    check((53, 199), (0, True, (socket.AF_UNIX,), all_bits), (1, True, (socket.SOCK_STREAM,), 0xF))
    check((16, 29), (1, True, _IOCTL, all_bits))
    check((72, 25), (1, True, _FCNTL, all_bits))
    # without FUTEX_PRIVATE_FLAG a futex works across processes that map the same file's page
    check((202, 98), (1, False, _SHARED_FUTEX, 0xFF))
    return [*lines, line(answer, allowed)]
