"""
Attempts to get through each wall: refused inside, and the same attempt goes through outside, so that each test can
fail.

Every attempt is a process of its own. `off` takes walls away, where two of them stop the same thing and each must do it
alone.
"""

import errno
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from typing import NamedTuple

import pytest
from conftest import ROOT

from arena.sandbox.confinement import kernel, system_calls, walls

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="walls are made of Linux")

HARNESS = """
import ctypes, json, os, platform, resource, signal, socket, struct, sys, tempfile, threading, traceback
from pathlib import Path
jobs = json.loads(sys.stdin.read())
sys.path.insert(0, sys.argv[1])
from arena.sandbox.confinement import kernel, root_folder, system_calls, walls
libc = ctypes.CDLL(None, use_errno=True)
def call(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result
def waits(pipe):  # a child that ends with its parent
    child = os.fork()
    if child == 0:
        os.close(pipe[1])
        os.read(pipe[0], 1)
        os._exit(0)
    return child
def play(job):
    names = globals() | job | {"pipe": os.pipe()}
    exec(job["before"], names)
    if "seccomp" in job["off"]:
        system_calls.refuse = lambda **_: True
    if "landlock" in job["off"]:
        walls._close_files = lambda *_: (True, False)
    if "namespaces" in job["off"]:
        walls._leave_namespaces = lambda: (True, False, False)
    if "own-root" in job["off"]:
        root_folder.enter = lambda *_: True
    if job["within"]:
        walls.clean_environment({"HOME": names["scratch"]})
        walls.limits(memory_mb=job["memory_mb"], file_kb=512, descriptors=100)
        names["gone"] = walls.confine([*walls.readable(), names["inside"]], [names["scratch"]], processes=8)
    exec(job["attempt"], names)
    print("through", flush=True)
results = []
for job in jobs:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryDirectory() as job["scratch"]:
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            try:
                play(job)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            os._exit(0)
        os.waitpid(child, 0)
        results.append([os.pread(file.fileno(), 100000, 0).decode() for file in (out, err)])
print(json.dumps(results))
"""
OTHER = "other = waits(pipe)"
CLONE = 'call(libc.syscall({"x86_64": 56, "aarch64": 220}[platform.machine()], %s | 17, 0, 0, 0, 0)) or os._exit(0)'
DENIED = ("PermissionError", "OSError: [Errno 18]")  # Landlock before ABI 2: as if it were another disk
JUNK = "junk = outside + '/junk'; open(junk, 'w')"
ABSTRACT = "socket.socket(socket.AF_UNIX).connect('\\0' + abstract)"
READV = "call(libc.process_vm_readv(other, here, 1, here, 1, 0))"
HERE = "b = ctypes.create_string_buffer(8); here = struct.pack('PN', ctypes.addressof(b), 8)"
CANDLES = "open(inside + '/candles')"
PAGE = """
import mmap
libc.mmap.restype = ctypes.c_void_p
page = libc.mmap(None, ctypes.c_size_t(4096), mmap.PROT_READ, mmap.MAP_PRIVATE, os.open(inside + '/candles', os.O_RDONLY), ctypes.c_long(0))
"""
FUTEX = (
    "call(libc.syscall({'x86_64': 202, 'aarch64': 98}[platform.machine()], ctypes.c_void_p(page), 1, 1, None, None, 0))"
)
THREAD = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
MOUNT = "call(libc.mount(b'none', (p := scratch.encode()), b'tmpfs', 0, None)); libc.umount(p)"


class Attempt(NamedTuple):
    wall: str
    code: str
    error: str | tuple[str, ...] = "PermissionError"
    before: str = ""
    off: str = ""


ATTEMPTS = {
    "reads a file": Attempt("landlock", "open(secret).read()"),
    "reads through a link of its own": Attempt(
        "landlock", "os.symlink(secret, scratch + '/link'); open(scratch + '/link').read()"
    ),
    "gives a file a name of its own": Attempt("landlock", "os.link(secret, scratch + '/hard')", DENIED),
    "lists a folder": Attempt("landlock", "os.listdir(outside)"),
    "lists the repository": Attempt("landlock", "os.listdir(path)", before="path = str(walls.REPOSITORY)"),
    "makes a file": Attempt("landlock", "open(outside + '/new', 'w')"),
    "appends to a file": Attempt("landlock", "open(secret, 'a')"),
    "writes where it may read": Attempt("landlock", "open(inside + '/new', 'w')"),
    "writes to shared memory": Attempt(
        "landlock", "p = f'/dev/shm/touchstone-{os.getpid()}'; open(p, 'w'); os.remove(p)"
    ),
    "removes a file": Attempt("landlock", "os.remove(junk)", before=JUNK),
    "takes a file away": Attempt("landlock", "os.rename(junk, scratch + '/x')", DENIED, before=JUNK),
    "reads the environment of another": Attempt("landlock", "open(f'/proc/{other}/environ').read()", before=OTHER),
    "reads its own in /proc": Attempt("landlock", "open('/proc/self/environ').read()"),
    "reads the memory of another": Attempt("landlock", "open(f'/proc/{other}/mem', 'rb')", before=OTHER),
    "starts a program, landlock": Attempt("landlock", "os.execv('/bin/echo', ['echo', 'through'])", off="seccomp"),
    "makes a socket file": Attempt("landlock", "os.mknod(scratch + '/socket', 0o140600)", off="seccomp"),
    "signals another, landlock": Attempt("landlock", "os.kill(other, 15)", before=OTHER, off="seccomp"),
    "TCP, landlock": Attempt("landlock", "socket.create_connection(tcp)", off="seccomp namespaces"),
    "TCP": Attempt("seccomp", "socket.create_connection(tcp)"),
    "TCP, namespace": Attempt("namespaces", "socket.create_connection(tcp)", "OSError", off="seccomp landlock"),
    "UDP": Attempt("seccomp", "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', tuple(udp))"),
    "UDP, namespace": Attempt(
        "namespaces", "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', tuple(udp))", "OSError", off="seccomp"
    ),
    "socket file": Attempt("seccomp", "socket.socket(socket.AF_UNIX).connect(file)"),
    "socket file from a pair": Attempt(
        "seccomp", "socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'x', file + '-datagram')"
    ),
    "abstract socket": Attempt("seccomp", ABSTRACT),
    "abstract socket, namespace": Attempt("namespaces", ABSTRACT, "ConnectionRefusedError", off="seccomp landlock"),
    "signals another": Attempt("seccomp", "os.kill(other, 15)", before=OTHER, off="landlock"),
    "signals another's thread": Attempt("seccomp", "call(libc.tgkill(other, other, 15))", before=OTHER, off="landlock"),
    "lets the kernel signal another": Attempt(
        "seccomp", "import fcntl; fcntl.fcntl(pipe[0], fcntl.F_SETOWN, other)", before=OTHER
    ),
    "traces another": Attempt(
        "seccomp", "call(libc.ptrace(0x4206, other, 0, 0))", before=OTHER, off="landlock namespaces"
    ),
    "reads another's memory": Attempt("seccomp", READV, before=f"{OTHER}; {HERE}", off="landlock namespaces"),
    "limits another": Attempt(
        "seccomp", "resource.prlimit(other, resource.RLIMIT_NOFILE, (9, 9))", before=OTHER, off="namespaces"
    ),
    "slows another": Attempt("seccomp", "os.setpriority(os.PRIO_PROCESS, other, 5)", before=OTHER, off="namespaces"),
    "starts a program": Attempt("seccomp", "os.execv('/bin/echo', ['echo', 'through'])", off="landlock"),
    "leaves the session": Attempt("seccomp", "os.setsid()"),
    "leaves the group": Attempt("seccomp", "os.setpgid(0, 0)"),
    "gives up its death signal": Attempt("seccomp", "call(libc.prctl(1, 0, 0, 0, 0))"),
    "opens itself to others": Attempt("seccomp", "call(libc.prctl(4, 1, 0, 0, 0))"),
    "makes namespaces": Attempt("seccomp namespaces", "call(libc.unshare(0x10000000))"),
    "forks into namespaces": Attempt("seccomp namespaces", CLONE % "0x10000000"),
    "forks for its parent": Attempt("seccomp", CLONE % "0x8000"),
    "mounts": Attempt("seccomp root", MOUNT, off="landlock namespaces"),
    "mounts, capabilities": Attempt("root", MOUNT, off="landlock seccomp"),
    "changes identity": Attempt("seccomp", "os.setresuid(-1, -1, -1)"),
    "changes the mode of a file": Attempt("seccomp", "os.chmod(secret, 0o600)"),
    "changes the date of a file": Attempt("seccomp", "os.utime(secret)"),
    "shortens a file": Attempt("seccomp", "os.truncate(secret, 6)", off="landlock"),
    "System V memory": Attempt("seccomp", "libc.shmctl(call(libc.shmget(0, 4096, 0o1600)), 0, None)"),
    "System V memory of another, namespace": Attempt(
        "namespaces",
        "libc.shmctl(call(libc.shmget(key, 0, 0)), 0, None)",
        "FileNotFoundError",
        before="key = udp[1] + 0x70000000; call(libc.shmget(key, 4096, 0o1600))",
        off="seccomp",
    ),
    "System V semaphores": Attempt("seccomp", "libc.semctl(call(libc.semget(0, 1, 0o1600)), 0, 0)"),
    "asks for the size of a file": Attempt("own-root", "os.stat(secret)", "FileNotFoundError"),
    "asks for a process": Attempt("own-root", "os.stat(f'/proc/{other}')", "FileNotFoundError", before=OTHER),
    "reads a file, own root": Attempt("own-root", "open(secret).read()", "FileNotFoundError", off="landlock"),
    "makes a file, own root": Attempt("own-root", "open(outside + '/new', 'w')", "FileNotFoundError", off="landlock"),
    "writes where it may read, own root": Attempt(
        "own-root", "open(inside + '/new', 'w')", "OSError: [Errno 30]", off="landlock"
    ),
    "much to disk": Attempt(
        "own-root", "for n in range(200): open(scratch + f'/{n}', 'wb').write(bytes(500_000))", "OSError: [Errno 28]"
    ),
    "many files": Attempt(
        "own-root", "for n in range(5000): open(scratch + f'/{n}', 'w').close()", "OSError: [Errno 28]"
    ),
    "locks a file": Attempt("seccomp", f"import fcntl; fcntl.flock({CANDLES}, fcntl.LOCK_SH)"),
    "locks a part of a file": Attempt("seccomp", f"import fcntl; fcntl.lockf({CANDLES}, fcntl.LOCK_SH)"),
    "asks for a lock": Attempt(
        "seccomp", f"import fcntl; fcntl.fcntl({CANDLES}, fcntl.F_GETLK, struct.pack('hhqqi', 0, 0, 0, 0, 0))"
    ),
    "takes a lease": Attempt("seccomp", f"import fcntl; fcntl.fcntl({CANDLES}, fcntl.F_SETLEASE, fcntl.F_RDLCK)"),
    "wakes who waits at a file's page": Attempt("seccomp", FUTEX, before=PAGE),
    "asks which pages are in memory": Attempt(
        "seccomp", "call(libc.mincore(ctypes.c_void_p(page), 4096, ctypes.create_string_buffer(1)))", before=PAGE
    ),
    "asks for the machine's load": Attempt("seccomp", "call(libc.sysinfo(ctypes.create_string_buffer(200)))"),
    "takes what the machine has once": Attempt(
        "seccomp",
        "call(libc.syscall({'x86_64': 206, 'aarch64': 0}[platform.machine()], 1, ctypes.create_string_buffer(8)))",
    ),
    "reads another's clock": Attempt("seccomp", "import time; time.clock_gettime(~other << 3 | 2)", before=OTHER),
    "asks for another's processors": Attempt("seccomp", "os.sched_getaffinity(other)", before=OTHER),
    "asks for another's niceness": Attempt("seccomp", "os.getpriority(os.PRIO_PROCESS, other)", before=OTHER),
    "chooses its processors": Attempt("seccomp", "os.sched_setaffinity(0, os.sched_getaffinity(0))"),
    "gives itself a name": Attempt("seccomp", "call(libc.prctl(15, b'message', 0, 0, 0))"),
    "hides the time of its children": Attempt("seccomp", "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"),
    "memory that no limit counts": Attempt("seccomp", "os.memfd_create('x')"),
    "many processes": Attempt("process-limit", "[waits(pipe) for _ in range(20)]", "BlockingIOError"),
    "many threads": Attempt("process-limit", f"for _ in range(20): {THREAD}", "RuntimeError"),
    "much memory": Attempt("", "bytearray(400 << 20)", "MemoryError"),
    "a large file": Attempt("", "open(scratch + '/big', 'wb').write(bytes(1 << 20))", "OSError"),
    "many descriptors": Attempt("", "[os.dup(0) for _ in range(150)]", "OSError"),
    "raises a limit": Attempt(
        "", "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)", "ValueError"
    ),
    "asks for a secret": Attempt("", "os.environ['TOUCHSTONE_SECRET']", "KeyError"),
    "asks libc for a secret": Attempt("", "assert libc.getenv(b'TOUCHSTONE_SECRET')", "AssertionError"),
}

WORKS = {
    "reads what it may": "assert open(inside + '/candles').read() == 'candles'; assert 'candles' in os.listdir(inside)",
    "writes to scratch": "p = Path(scratch, 'a'); p.mkdir(); (p / 'x').write_text('1'); (p / 'x').rename(p.parent / "
    "'y'); p.rmdir()",
    "temporary files": "assert Path(tempfile.mkdtemp()).parent == Path(scratch)",
    "a thread": "t = threading.Thread(target=print); t.start(); t.join()",
    "one child after another": "for _ in range(20): os.waitpid(os.fork() or os._exit(0), 0)",
    "a signal to itself": "signal.signal(signal.SIGUSR1, lambda *_: None); os.kill(os.getpid(), signal.SIGUSR1)",
    "an event loop": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "a callback from C": "assert ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 3)() == 3",
    "devices": "open('/dev/null', 'w').write('x'); open('/dev/urandom', 'rb').read(8)",
    "its limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (50, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))",
    "processors": "assert os.cpu_count() >= 1",
    "time zones": "import zoneinfo; zoneinfo.ZoneInfo('UTC')",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Something to reach: a file, a folder, and servers on every kind of socket."""
    folder = tmp_path_factory.mktemp("walls")
    for name in ("inside", "outside"):
        (folder / name).mkdir()
    (folder / "outside" / "secret").write_text("secret")
    (folder / "inside" / "candles").write_text("candles")
    file, abstract = str(folder / "outside" / "socket"), f"touchstone-{os.getpid()}"
    tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    unix = [socket.socket(socket.AF_UNIX, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    for server, address in zip(unix, (file, "\0" + abstract, file + "-datagram"), strict=True):
        server.bind(address)
    for server in (tcp, *unix[:2]):
        server.listen(100)
    addresses = {"tcp": tcp.getsockname(), "udp": udp.getsockname(), "file": file, "abstract": abstract}
    yield {
        "outside": str(folder / "outside"),
        "inside": str(folder / "inside"),
        "secret": str(folder / "outside" / "secret"),
        **addresses,
    }
    for server in (tcp, udp, *unix):
        server.close()


class Done(NamedTuple):
    stdout: str
    stderr: str


def play(jobs, packages=False):
    """What each job printed. One process loads what all need, and forks for each as the fork server does."""
    command = [sys.executable, *(["-I"] if packages else ["-I", "-S"]), "-c", HARNESS, str(ROOT)]
    environment = os.environ | {"TOUCHSTONE_SECRET": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, input=json.dumps(jobs), capture_output=True, text=True, env=environment, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return [Done(*texts) for texts in json.loads(done.stdout)]


def job(world, attempt, *, inside, before="", off="", memory_mb=150):
    return world | {"attempt": attempt, "within": inside, "before": before, "off": off, "memory_mb": memory_mb}


def run(world, attempt, *, packages=False, **settings):
    return play([job(world, attempt, **settings)], packages)[0]


@pytest.fixture(scope="module")
def attempts(world):
    """Every attempt within the walls and where there are none."""
    within = play(
        [
            job(world, a.code, inside=True, before=a.before, off=a.off + " own-root" * (a.wall == "landlock"))
            for a in ATTEMPTS.values()
        ]
    )
    free = play([job(world, a.code, inside=False, before=a.before) for a in ATTEMPTS.values()])
    return dict(zip(ATTEMPTS, zip(within, free, strict=True), strict=True))


def skip_without(needed):
    gone = {*walls.missing(), *(["root"] if os.geteuid() else [])}
    if lacking := gone & set(needed.split()):
        pytest.skip(f"this machine lacks {', '.join(lacking)}")


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_ends_at_the_wall_and_goes_through_where_there_is_none(name, attempts):
    skip_without(ATTEMPTS[name].wall)
    within, free = attempts[name]
    assert within.stdout == "" and within.stderr.splitlines()[-1].startswith(ATTEMPTS[name].error), within
    assert free.stdout == "through\n", free


def test_honest_work_goes_on_within(world):
    done = run(world, "\n".join(WORKS.values()), inside=True)
    assert done.stdout.endswith("through\n"), done


def test_a_child_within_can_be_ended_from_within(world):
    skip_without("landlock")
    if kernel.libc().syscall(444, None, 0, 1) < 6:
        pytest.skip("before Linux 6.12 seccomp keeps signals in, and it knows this process alone")
    done = run(world, "child = waits(pipe); os.kill(child, 9); assert os.waitpid(child, 0)[1] == 9", inside=True)
    assert done.stdout == "through\n", done


def test_the_death_signal_outlives_the_walls(world):
    asked = "n = ctypes.c_int(); libc.prctl(2, ctypes.byref(n)); assert n.value == 9"
    assert run(world, asked, inside=True, before="libc.prctl(1, 9)").stdout == "through\n"
    assert run(world, asked, inside=True).stdout == ""


def test_what_the_probe_finds_is_what_a_worker_gets(world):
    done = run(world, "print(json.dumps(gone))", inside=True)
    assert tuple(json.loads(done.stdout.splitlines()[0])) == tuple(wall for wall in walls.missing() if wall != "pids")


@pytest.mark.parametrize(
    ("wall", "fake"),
    [
        ("namespaces", "libc.unshare = lambda flags: -1"),
        # sched_yield, which succeeds
        ("landlock", "walls._RESTRICT_SELF = {'x86_64': 24, 'aarch64': 124}[platform.machine()]"),
        ("no-new-privs", "walls.GET_NO_NEW_PRIVS = 3"),  # whether it is dumpable
        # allows all
        ("seccomp", "system_calls.program = lambda *_, **__: [struct.pack('HBBI', 0x06, 0, 0, 0x7FFF0000)]"),
        ("own-root", "libc.mount = lambda *_: -1"),
        ("process-limit", "resource.setrlimit = lambda *_: None"),
    ],
)
def test_a_wall_that_does_not_hold_is_named(wall, fake, world):
    skip_without(wall)
    done = run(world, "print(json.dumps(gone))", inside=True, before=f"{fake}; kernel.libc = lambda: libc")
    assert wall in json.loads(done.stdout.splitlines()[0]), done


def test_every_wall_that_this_kernel_offers_holds():
    """Asked in other ways: else a wall that no longer comes up would only skip tests."""
    offered = {"no-new-privs"}
    if kernel.libc().syscall(444, None, 0, 1) > 0:
        offered.add("landlock")
    if os.uname().machine in system_calls.MACHINES:
        offered.add("seccomp")
    if (
        shutil.which("unshare")
        and subprocess.run(["unshare", "--user", "--map-root-user", "--net", "true"], check=False).returncode == 0
    ):
        offered |= {"namespaces", "process-limit"}
    if (
        shutil.which("unshare")
        and subprocess.run(
            [
                "unshare",
                "--user",
                "--map-root-user",
                "--mount",
                "--pid",
                "--fork",
                "mount",
                "-t",
                "tmpfs",
                "none",
                "/mnt",
            ],
            check=False,
        ).returncode
        == 0
    ):
        offered |= {"pids", "own-root"}
    assert not offered & set(walls.missing())


def test_walls_are_refused_beside_a_second_thread(world):
    done = run(world, "", inside=True, before=THREAD)
    assert done.stderr.splitlines()[-1].startswith(
        "OSError: walls hold for the thread that puts them up, and 2 threads run"
    )


def test_a_path_that_is_not_there_is_named(world):
    skip_without("landlock")
    done = run(world | {"inside": "/nowhere"}, "", inside=True)
    assert "FileNotFoundError" in done.stderr and "/nowhere" in done.stderr


def test_nothing_readable_holds_the_repository():
    readable = walls.readable()
    assert not [path for path in readable if path == ROOT or path in ROOT.parents]
    assert all(path.exists() for path in readable)


def test_the_level_names_what_is_missing(monkeypatch):
    for absent, level in (
        ((), "full"),
        (("landlock", "seccomp"), "without landlock, seccomp"),
        (walls.WALLS, "limits-only"),
    ):
        monkeypatch.setattr(walls, "missing", lambda absent=absent: absent)
        assert walls.level() == level


def test_a_probe_that_does_not_run_finds_no_wall(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert walls.missing.__wrapped__() == walls.WALLS


def decide(program, machine, number, *arguments):
    """What the kernel's interpreter does with a filter: the answer to one system call."""
    data = struct.pack("=iIQ6Q", number, machine, 0, *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    value, at = 0, 0
    while True:
        code, yes, no, k = struct.unpack("HBBI", program[at])
        at += 1
        if code == 0x20:
            value = struct.unpack_from("=I", data, k)[0]
        elif code == 0x54:
            value &= k
        elif code == 0x05:
            at += k
        elif code == 0x06:
            return {0x7FFF0000: 0}.get(k, k & 0xFFFF)
        else:
            at += yes if {0x15: value == k, 0x35: value >= k}[code] else no


@pytest.mark.parametrize("name", system_calls.MACHINES)
def test_the_filter_says_the_same_on_every_machine(name):
    column, machine = system_calls.MACHINES[name]
    program = system_calls.program(column, machine, own=77)
    for numbers, arguments, answer in (
        ((257, 56), (), 0),  # openat
        ((59, 221), (), errno.EPERM),  # execve
        ((56, 220), (17,), 0),  # clone, a fork
        ((56, 220), (0x3D0F00,), 0),  # a thread
        ((56, 220), (0x10000011,), errno.EPERM),  # a user namespace
        ((435, 435), (), errno.ENOSYS),  # clone3
        ((62, 129), (77,), 0),  # kill
        ((62, 129), (78,), errno.EPERM),
        ((62, 129), (0xFFFFFFFF,), errno.EPERM),  # everybody
        ((56, 220), (0x4011,), errno.EPERM),  # a fork whose parent waits
        ((72, 25), (3, 1030), 0),  # fcntl, a copy of a descriptor
        *(((72, 25), (3, lock), errno.EPERM) for lock in (5, 6, 7, 36, 37, 38, 1024, 1026, 1031)),
        ((73, 32), (3, 1), errno.EPERM),  # flock
        ((202, 98), (1, 128), 0),  # futex of the process's own, a wait
        ((202, 98), (1, 129), 0),
        ((202, 98), (1, 0), 0),
        ((202, 98), (1, 0x109), 0),  # pthread_join
        *(((202, 98), (1, wake), errno.EPERM) for wake in (1, 5, 10, 0x10A)),
        ((228, 113), (3,), 0),  # clock_gettime, this thread's
        ((228, 113), (0xFFFFFFFE,), errno.EPERM),
        ((13, 134), (17, 0, 1), 0),  # rt_sigaction of SIGCHLD, a question
        ((13, 134), (17, 1 << 40, 1), errno.EPERM),
        ((13, 134), (17, 1, 0), errno.EPERM),
        ((13, 134), (15, 1, 0), 0),
        ((16, 29), (0, 0x40086602), errno.EPERM),  # ioctl, flags of a file
        ((53, 199), (1, 0x80001), 0),  # socketpair, close on exec
        ((53, 199), (1, 2), errno.EPERM),
        ((53, 199), (2, 1), errno.EPERM),
        ((157, 167), (15,), errno.EPERM),  # prctl, a name
        ((157, 167), (22,), 0),  # one more filter
        ((157, 167), (4,), errno.EPERM),
        ((157, 167), (1, 0), errno.EPERM),  # prctl, a child that outlives its parent
        ((157, 167), (1, 9), 0),
        ((302, 261), (0,), 0),  # prlimit64
        ((302, 261), (1,), errno.EPERM),
        ((16, 29), (0, 0x5401), 0),  # ioctl
        ((16, 29), (0, 0x5412), errno.EPERM),
    ):
        assert decide(program, machine, numbers[column], *arguments) == answer, (numbers, arguments)
    assert decide(program, 0x40000003, 1) == errno.EPERM  # 32 bits
    assert decide(program, machine, 0x40000000 | 39) == errno.EPERM  # x32
    assert decide(system_calls.program(column, machine, own=None), machine, (62, 129)[column], 78) == 0


@pytest.mark.slow
def test_freqtrade_pandas_and_talib_work_within(world):
    prepare = """
sys.path.insert(0, str(walls.REPOSITORY))
import arena.sandbox.worker.runner, numpy as np, pandas as pd, talib.abstract as ta
frame = pd.DataFrame({"close": np.cumsum(np.random.default_rng(1).normal(size=500)) + 100})
os.fork() or (frame.to_feather(inside + "/frame.feather"), os._exit(0))
os.wait()
if child := os.fork():  # as the fork server does: pyarrow may have started threads here
    os.waitpid(child, 0)
    os._exit(0)
"""
    compute = """
read = pd.read_feather(inside + "/frame.feather")
assert read.equals(frame)
assert abs(ta.SMA(read, timeperiod=10).iloc[-1] - read["close"].rolling(10).mean().iloc[-1]) < 1e-9
assert np.linalg.inv(np.cov(np.random.default_rng(1).normal(size=(30, 300)))).shape == (30, 30)
assert str(pd.Timestamp("2021-01-01", tz="UTC").tz_convert("Europe/Berlin")).endswith("+01:00")
read.to_feather(scratch + "/own.feather")
os.waitpid(os.fork() or os._exit(0), 0)
"""
    done = run(world, compute, inside=True, before=prepare, packages=True, memory_mb=1000)
    assert done.stdout.endswith("through\n"), done
