"""What a process and all that it started have used, as the kernel tells it; nobody's time gets lost."""

import contextlib
import os
import subprocess
import sys

import pytest
from waiting import until

from arena.sandbox import usage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")

BURN = (
    "import time\ndef burn(seconds):\n    until = time.process_time() + seconds\n    while time.process_time() < "
    "until: pass\n"
)
CHILDREN = """
import os
for _ in range(3):
    if os.fork() == 0:
        burn(0.1)
        os._exit(0)
    os.wait()
"""
ORPHANS = """
import os
from arena.sandbox.confinement import pid_namespace
pid_namespace.seclude()
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            burn(0.1)
        os._exit(0)
    os.wait()
"""
SLEEPS = "\nprint('there', flush=True)\ntime.sleep(100)"
SPINS = "\nprint('there', flush=True)\nwhile True: pass"


@contextlib.contextmanager
def running(code):
    """A process in a group of its own, once it has said that it is there."""
    with subprocess.Popen(
        [sys.executable, "-c", BURN + code], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            assert process.stdout.read(5) == b"there"
            yield process.pid
        finally:
            os.killpg(process.pid, 9)


def test_its_own_time_counts():
    with running("burn(0.3)" + SLEEPS) as pid:
        assert (
            0.28 <= usage.of(pid).cpu_s < 3
        )  # the kernel counts user and system time in whole ticks, each rounded down


@pytest.mark.parametrize("code", [CHILDREN, ORPHANS], ids=["children", "orphans that somebody waits for"])
def test_time_of_those_that_ended_is_not_lost(code):
    with running(code + SLEEPS) as pid:
        assert until(lambda: usage.of(pid).cpu_s >= 0.28)


def test_a_group_is_found_where_the_kernel_keeps_no_list_of_children(monkeypatch):
    with running("import os\nos.fork()" + SLEEPS) as pid:
        listed = sorted(usage._members(pid))
        monkeypatch.setattr(os.path, "exists", lambda path: False)
        assert sorted(usage._members(pid)) == listed
        assert len(listed) == 2


def test_what_spins_wants_a_processor_and_what_sleeps_wants_none():
    with running(SPINS) as busy, running(SLEEPS) as idle:
        assert usage.of(busy).eager
        assert until(lambda: not usage.of(idle).eager)
    with running("import threading\nthreading.Thread(target=burn, args=(50,), daemon=True).start()" + SLEEPS) as beside:
        assert until(lambda: usage.of(beside).eager)


def test_nothing_is_known_of_a_process_that_is_not_there():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert usage.of(gone.pid) is None
