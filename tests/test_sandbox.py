"""
What a strategy can reach from a real worker, and what becomes of the worker: the whole path, no part taken out.

What code in a worker finds it tells by raising it: a failure's message is the one thing that comes out of every worker.
Each attempt is made in this process too, where it goes through, so that each test can fail.
"""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest
from arenas import ROOT, SHORT, prepared, sampled, strategy
from waiting import until

from arena.errors import ArenaError, LimitError, StrategyError
from arena.evaluation import batch, context
from arena.ledger import strategy_files
from arena.ledger.store import LEDGER, Ledger
from arena.market import sealing
from arena.sandbox import client, usage
from arena.sandbox.confinement import walls

SECRET = "TOUCHSTONE_TEST_SECRET"
WALLED = pytest.mark.skipif(bool(walls.missing()), reason=f"walls that do not hold here: {', '.join(walls.missing())}")
KEEPERS = 2 if "pids" not in walls.missing() else 1 if sys.platform == "linux" else 0
"""Processes above a worker that run nothing of the strategy."""
KINDS = """
import os, stat
kinds = {}
for fd in range(256):
    try:
        kinds[fd] = stat.S_IFMT(os.fstat(fd).st_mode)
    except OSError:
        pass
more = []
for fd in kinds:
    if kinds[fd] == stat.S_IFSOCK and os.get_blocking(fd):
        more.append(fd)
pipe = more.pop(0)
"""
"""
What is open in a worker. Of its sockets the pipe alone is a blocking one; the others are an event loop's, of ccxt's.
"""
SAY = f"""
{KINDS}
import struct
def say(data, size=None, os=os, struct=struct, pipe=pipe):
    os.write(pipe, struct.pack('<Q', len(data) if size is None else size) + data)
"""


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """A small arena; its fork server starts here, beside a secret and an open file that are none of its business."""
    settings = prepared(tmp_path_factory.mktemp("arena"), arena=SHORT | {"limits": {"seconds": 60, "printed_kb": 64}})
    if client._server_pid() is not None:
        forkserver._forkserver._stop()
    descriptor = os.open(settings.path, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    os.environ[SECRET] = "hunter2"
    client.warm_up()
    yield context.open_arena(settings, record=True)
    del os.environ[SECRET]
    os.close(descriptor)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder in which workers' scratch folders are made, for this test alone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def examined(arena, code, name="Probe"):
    file = strategy(arena.settings, name, indicators=f"import os, json\n{code}")
    try:
        return strategy_files.examine(file, arena.settings, strategy_files.read(file))
    finally:
        file.unlink()


def limited(arena, **limits):
    return arena.settings.model_copy(update={"limits": arena.settings.limits.model_copy(update=limits)})


def worker(arena, code, *, settings=None, seconds=None):
    task = client.Task("backtest", arena.settings.search, arena.markets)
    return client.Worker(examined(arena, code), settings or arena.settings, task, seconds=seconds)


def failure(arena, code, **options):
    """The error that a strategy with this code in its indicators becomes."""
    with worker(arena, code, **options) as made:
        made.send({"task": "backtest"}, arena.tables)
        with pytest.raises(StrategyError) as caught:
            made.claim()
    return caught.value


def found(arena, code):
    """What the code leaves in `found`, after it ran in a worker."""
    said = str(failure(arena, f"{code}\nraise RuntimeError('found ' + json.dumps(found))"))
    assert said.startswith("RuntimeError: found "), said
    return json.loads(said.removeprefix("RuntimeError: found "))


def alive(group):
    """Processes of a group that run."""
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members


# ---- what it cannot reach ----


@pytest.fixture(scope="module")
def outside(arena):
    """Names of what lies outside, and a server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.listen()
        root = arena.settings.root
        yield {
            "repository": str(ROOT),
            "code": str(ROOT / "arena" / "sandbox" / "client.py"),
            "candles": str(root / "user_data" / "data" / "BTC_USDT-1h.feather"),
            "sealed": str(root / "user_data" / "data" / "validation.sealed"),
            "config": str(root / "config.json"),
            "keys": str(sealing.keys_dir()),
            "home": str(Path.home()),
            "me": os.getpid(),
            "address": list(server.getsockname()),
        }


ATTEMPTS = {
    "reads the arena's code": "open(code).read()",
    "lists the repository": "os.listdir(repository)",
    "reads candle files": "open(candles, 'rb').read()",
    "reads sealed candles": "open(sealed, 'rb').read()",
    "reads the configuration": "open(config).read()",
    "lists the keys": "os.listdir(keys)",
    "reads a key": "import glob; assert [open(os.path.join(keys, name), 'rb').read() for name in os.listdir(keys)]",
    "lists the home folder": "os.listdir(home)",
    "reads who is who": "open('/etc/passwd').read()",
    "lists temporary files": "os.listdir('/tmp')",
    "lists the folder above its own": "os.listdir('..')",
    "lists processes": "os.listdir('/proc')",
    "reads its first environment": "open('/proc/self/environ', 'rb').read()",
    "connects to this machine": "import socket; socket.create_connection(tuple(address), timeout=5).close()",
    "signals this process": "os.kill(me, 0)",
    "starts a program": "import subprocess; subprocess.run(['/bin/true'], check=True)",
}


@pytest.fixture(scope="module")
def refused(arena, outside):
    """What each attempt raises, all of them made by one worker."""
    names = "\n".join(f"{name} = {value!r}" for name, value in outside.items())
    tries = (
        "for name, attempt in attempts.items():\n    try:\n        exec(attempt, globals() | locals())\n    "
        "except "
        "Exception as error:\n        found[name] = repr(error)"
    )
    return found(arena, f"{names}\nattempts, found = {ATTEMPTS!r}, {{}}\n{tries}")


@WALLED
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_is_outside_cannot_be_reached(refused, outside, attempt):
    exec(f"import os\n{ATTEMPTS[attempt]}", dict(outside))
    assert refused[attempt].startswith(("PermissionError(", "FileNotFoundError(", "ProcessLookupError(")), refused[
        attempt
    ]


def test_its_environment_holds_nothing_of_the_callers(arena):
    assert SECRET in os.environ
    names = found(arena, "found = dict(os.environ)")
    assert names.keys() == walls.ENVIRONMENT.keys() | {"HOME", "TMPDIR"}
    assert names["HOME"] == names["TMPDIR"]
    assert "hunter2" not in str(names)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_fork_server_was_never_given_a_secret(arena):
    """What a process was started with stays in its memory and in that of every fork."""
    names = [
        entry.split("=")[0] for entry in Path(f"/proc/{client._server_pid()}/environ").read_text().split("\0") if entry
    ]
    assert SECRET not in names
    assert set(names) <= walls.ENVIRONMENT.keys() | {
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "LD_LIBRARY_PATH",
        "LC_CTYPE",
        "COLUMNS",
        "LINES",
    }


def test_of_what_was_open_nothing_is_left_but_its_pipe(arena):
    kinds, more = found(arena, f"{KINDS}\nfound = kinds, more")
    files = [int(fd) for fd, kind in kinds.items() if kind == stat.S_IFREG]
    assert files == [0, 1, 2]
    assert not [fd for fd, kind in kinds.items() if kind in (stat.S_IFIFO, stat.S_IFDIR, stat.S_IFCHR)]
    assert more == []
    assert len(kinds) <= 7  # with a selector and a pair of sockets of an event loop


def test_texts_have_the_same_hashes_in_every_worker(arena):
    command = [sys.executable, "-c", "print(hash('touchstone'))"]
    wanted = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True)
    assert found(arena, "found = hash('touchstone')") == int(wanted.stdout)


def test_dice_are_thrown_anew_in_every_worker(arena):
    dice = "import random, numpy as np\nfound = [random.random(), np.random.random()]"
    first, second = found(arena, dice), found(arena, dice)
    assert first[0] != second[0] and first[1] != second[1]


@pytest.mark.slow
def test_a_worker_runs_wherever_its_server_was_started(arena, tmp_path, monkeypatch):
    """The server preloads FreqTrade and the arena's code from its own folder, which workers cannot open."""
    forkserver._forkserver._stop()
    monkeypatch.chdir(tmp_path)
    client.warm_up()
    assert found(arena, "found = 'here'") == "here"


@pytest.mark.slow
@WALLED
def test_what_a_worker_writes_is_seen_by_no_other_process(arena, scratch):
    writes = (
        "import time\nopen('note', 'w').write('future')\nos.makedirs('a/b')\nprint('future')\nwhile "
        "time.process_time() < 1.5: pass\ntime.sleep(1000)"
    )
    with worker(arena, writes) as made:
        made.send({"task": "backtest"}, arena.tables)
        assert until(lambda: cpu_of(made) > 1 and asleep(made))
        assert sorted(path.relative_to(made.scratch).as_posix() for path in made.scratch.rglob("*")) == [
            "home",
            "strategy",
        ]
        assert not list(scratch.parent.rglob("note"))


def asleep(made):
    """Whether it has come to where it sleeps, with the folder that it makes last."""
    return Path(f"/proc/{max(alive(made.process.pid))}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def cpu_of(made):
    return seen.cpu_s if (seen := usage.of(made.process.pid)) else 0.0


@WALLED
def test_a_worker_has_the_same_number_every_time_and_shows_no_arguments(arena):
    assert found(arena, "found = [os.getpid(), os.getppid()]") == [2, 1]
    with worker(arena, "while True: pass") as made:
        made.send({"task": "backtest"}, arena.tables)
        assert until(
            lambda: (
                len(alive(made.process.pid)) == 1 + KEEPERS
                and not Path(f"/proc/{max(alive(made.process.pid))}/cmdline").read_bytes()
            )
        )
        assert Path("/proc/self/cmdline").read_bytes()


MARK = "touchstone-mark"
PLACES = [
    "/",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/run",
    "/dev",
    "/etc",
    str(ROOT),
    str(ROOT / "arena"),
    sys.prefix,
    os.path.dirname(os.__file__),
]


@WALLED
def test_two_workers_share_no_place_in_which_one_could_leave_a_note(arena, scratch):
    places = f"""
import glob, sys, tempfile
places = [*{[*PLACES, str(scratch), str(arena.settings.root)]!r}, *sys.path, os.environ['HOME'], os.getcwd(), os.path.dirname(os.getcwd()), '.',
          os.path.dirname(__file__), tempfile.gettempdir()]
"""
    writes = """
found = []
for place in dict.fromkeys(places):
    try:
        with open(os.path.join(place, 'touchstone-mark'), 'w') as file:
            file.write('seen')
        found.append(os.path.realpath(place))
    except OSError:
        pass
found = [sorted(set(found)), os.getcwd()]
"""
    marked, own = found(arena, places + writes)
    assert marked == [own]
    looks = f"found = [place for place in places if os.path.exists(os.path.join(place, {MARK!r}))]"
    assert found(arena, f"{places}\nplaces.append({own!r})\n{looks}") == []


# ---- what is left of it ----

ENDINGS = {
    "success": ("found = 1", None),
    "failure": ("1 / 0", "ZeroDivisionError"),
    "the time limit": ("while True: pass", "did not end within arena.limits.seconds = 4"),
    "a signal": ("os.kill(os.getpid(), 9)", "SIGKILL"),
    "an early end": ("os._exit(0)", "exit code 0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_after(arena, scratch, ending):
    code, error = ENDINGS[ending]
    notes = (
        "open('note', 'w').write('x'); os.makedirs('a/b', exist_ok=True); os.path.lexists('link') or "
        "os.symlink('/etc', 'link')"
    )
    with worker(arena, f"{notes}\n{code}", seconds=60 if error is None or "limit" not in ending else 4) as made:
        assert made.scratch.parent == scratch and made.scratch.is_dir()
        made.send({"task": "backtest"}, arena.tables)
        if error is None:
            assert made.claim().trades > 20
        else:
            with pytest.raises(StrategyError, match=error):
                made.claim()
    assert not list(scratch.iterdir())
    assert until(lambda: not alive(made.process.pid))
    assert Path("/etc").is_dir()


def test_a_child_that_it_forked_ends_with_it_at_the_deadline(arena):
    forks = (
        "import signal\nfor number in (1, 2, 15):\n    signal.signal(number, "
        "signal.SIG_IGN)\nos.fork()\nos.fork()\nwhile True: pass"
    )
    with worker(arena, forks, seconds=2) as made:
        made.send({"task": "backtest"}, arena.tables)
        with pytest.raises(LimitError, match="did not end within"):
            made.claim()
        assert len(alive(made.process.pid)) == 4 + KEEPERS
    assert until(lambda: not alive(made.process.pid))


HIDES = """
import ctypes, time
def burn():
    until = time.process_time() + 0.3
    while time.process_time() < until: pass
    os._exit(0)
for _ in range(4):
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).fork() or burn()  # without the death signal that Python's own fork sets
        os._exit(0)
    os.waitpid(child, 0)
time.sleep(1000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_time_of_orphans_is_the_workers(arena):
    """Nobody but the worker's keeper is left to wait for them."""
    with worker(arena, HIDES) as made:
        made.send({"task": "backtest"}, arena.tables)
        assert until(lambda: len(alive(made.process.pid)) == 1 + KEEPERS and cpu_of(made) > 1.0)


def test_folders_of_runs_that_were_killed_are_removed_at_the_next_start(arena, scratch):
    gone = subprocess.Popen(["true"])
    gone.wait()
    killed, running, other = (
        scratch / name
        for name in (f"touchstone-worker-{gone.pid}-a", f"touchstone-worker-{os.getpid()}-b", "something")
    )
    for folder in (killed, running, other):
        folder.mkdir()
        (folder / "kept").write_text("x")
    client.warm_up()
    assert sorted(scratch.iterdir()) == sorted([other, running])


# ---- limits ----


def test_a_file_cannot_become_larger_than_its_limit(arena):
    assert "File too large" in str(failure(arena, "with open('big', 'wb') as file:\n    file.write(bytes(65 << 10))"))


def test_memory_has_a_limit(arena):
    assert "MemoryError" in str(failure(arena, "bytearray(600 << 20)", settings=limited(arena, memory_mb=500)))
    assert found(arena, "found = len(bytearray(600 << 20))") == 600 << 20


def test_a_message_has_a_limit(arena):
    noisy = "import random\ndataframe['enter_tag'] = ''\nself.noise = 1"
    stops = (
        "use_custom_stoploss = True\ndef custom_stoploss(self, current_rate, **kwargs):\n    return -0.1 - "
        "current_rate / 1e7"
    )
    file = strategy(arena.settings, "Talks", indicators=noisy, callbacks=stops)
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    file.unlink()
    task = client.Task("backtest", arena.settings.search, arena.markets)
    with pytest.raises(LimitError, match=r"returns \d+ KB, the limit is arena.limits.output_kb = 16"):
        client.backtest(told, limited(arena, output_kb=16), task, arena.tables)
    assert client.backtest(told, arena.settings, task, arena.tables).trades > 20


# ---- what it says ----

CLAIM = (
    '{"claim": {"orders": {"pair": [], "filled_ms": [%s], "buys": [], "price": [%s], "amount": [], "kind": [], '
    '"stop_before": []}}}'
)

NONSENSE = {
    "no JSON": ("say(b'hello')", "not a claim"),
    "no text": ("say(bytes(range(256)))", "not a claim"),
    "a number": ("say(b'1')", "not a claim"),
    "nested without end": ("say(b'[' * 100_000)", "not a claim"),
    "an unknown key": ("say(b'{\"claims\": {}}')", "not a claim"),
    "an empty claim": ("say(b'{\"claim\": {}}')", "not a claim: claim.orders: Field required"),
    "beyond 64 bits": (f"say(({CLAIM!r} % ('1' + '0' * 30, '1')).encode())", "claim.orders.filled_ms.0"),
    "beyond all digits": (
        f"say(({CLAIM!r} % ('1' * 5000, '1')).encode())",
        "not a claim: the whole: Invalid JSON: number out of range",
    ),
    "outside time": (f"say(({CLAIM!r} % ('9' * 18, '1')).encode())", "claim.orders.filled_ms.0"),
    "not finite": (f"say(({CLAIM!r} % ('1', 'Infinity')).encode())", "claim.orders.price.0"),
    "not finite by its exponent": (f"say(({CLAIM!r} % ('1', '1e999')).encode())", "claim.orders.price.0"),
    "the end": ("say(b'{\"end\": true}')", "neither a claim nor a failure"),
    "another answer": ('say(b\'{"twin": {"ended": true}}\')', "neither a claim nor a failure"),
    "a failure of the arena": ('say(b\'{"failure": {"error": "x", "kind": "ArenaError", "frames": []}}\')', "x"),
    "less than announced": ("say(b'{', size=1000); os._exit(0)", "ended without an answer, exit code 0"),
    "half a header": ("os.write(pipe, b'123'); os._exit(0)", "ended without an answer"),
    "more than is allowed": ("say(b'', size=1 << 40)", "the limit is arena.limits.output_kb"),
    "more than there is": ("say(b'', size=(1 << 64) - 1)", "the limit is arena.limits.output_kb"),
    "nothing any more": ("os.close(pipe)\nwhile True: pass", "ended without an answer"),
    "nothing": ("import time\ntime.sleep(100)", "did not end within arena.limits.seconds = 2"),
    "one byte and no more": ("os.write(pipe, b'1')\nwhile True: pass", "did not end within arena.limits.seconds = 2"),
    "a flood": ("say(b'', size=1 << 23)\nwhile True: os.write(pipe, b' ' * 1000)", "not a claim"),
}


OFTEN = {
    "no JSON",
    "an empty claim",
    "beyond all digits",
    "the end",
    "a failure of the arena",
    "less than announced",
    "more than is allowed",
    "a flood",
}


@pytest.mark.parametrize("nonsense", sampled(NONSENSE, OFTEN))
def test_whatever_a_worker_says_is_the_strategys_fault(arena, nonsense):
    code, message = NONSENSE[nonsense]
    said = failure(arena, f"{SAY}\n{code}", seconds=2 if "seconds = 2" in message else 60)
    assert message in str(said)
    assert str(said).isprintable()


def test_an_answer_before_the_candles_is_no_claim(arena):
    """At import, before a candle has arrived: what it says is read, what it is sent goes nowhere."""
    file = strategy(arena.settings, "Early", extra=f"{SAY}\nsay(b'hello')\nos._exit(0)")
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    file.unlink()
    with pytest.raises(StrategyError, match="not a claim: the whole"):
        client.backtest(
            told, arena.settings, client.Task("backtest", arena.settings.search, arena.markets), arena.tables
        )


# ---- interruptions ----


def in_a_thread(call):
    """The call's error, once its thread has ended."""
    caught = []

    def run():
        try:
            call()
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, caught


def waiting(arena):
    """A strategy that never ends, evaluated in a thread, once its worker is inside it."""
    file = strategy(arena.settings, "Waits", indicators="import os\nos.fork()\nwhile True: pass")
    before = set(client._running)
    thread, caught = in_a_thread(lambda: batch.evaluate(file, arena, "0000000"))
    assert until(lambda: any(len(alive(p.pid)) == 2 + KEEPERS for p in client._running - before))
    (process,) = client._running - before
    return thread, caught, process, file


def test_an_interrupted_run_leaves_no_process_and_is_no_trial(arena):
    thread, caught, process, file = waiting(arena)
    client.stop()
    thread.join(20)
    file.unlink()
    assert not thread.is_alive()
    assert [type(error) for error in caught] == [ArenaError]
    assert str(caught[0]) == "interrupted."
    assert until(lambda: not alive(process.pid))
    with pytest.raises(ArenaError, match="interrupted"):
        found(arena, "found = 1")  # nor does one start afterwards
    assert not Ledger(arena.settings.root / LEDGER).trials(arena.lock.contract)
    client.warm_up()
    assert found(arena, "found = 1") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker outlives its server")
def test_when_the_fork_server_dies_it_is_no_trial_and_the_next_run_works(arena):
    thread, caught, process, file = waiting(arena)
    os.kill(client._server_pid(), signal.SIGKILL)
    thread.join(20)
    file.unlink()
    assert [type(error) for error in caught] == [ArenaError]
    assert "fork server" in str(caught[0])
    assert until(lambda: not alive(process.pid))
    assert not Ledger(arena.settings.root / LEDGER).trials(arena.lock.contract)
    assert found(arena, "found = 1") == 1
