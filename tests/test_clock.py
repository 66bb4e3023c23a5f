"""A worker's time: what it used and what it slept, never what others took from it."""

import os
import subprocess
import sys
import time

import pytest

from arena.errors import BusyError, LimitError
from arena.sandbox.clock import PATIENCE, Clock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")

SPIN, SLEEP = "while True: pass", "import time; time.sleep(100)"
LAST = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
"""It runs when nobody else wants to."""


def watched(process, seconds):
    """A clock that is watched until it raises; what it raised, and the seconds that it took."""
    clock, started = Clock(seconds), time.monotonic()
    clock.resume()
    with pytest.raises((LimitError, BusyError)) as caught:
        while True:
            time.sleep(clock.pause())
            clock.tick(process.pid, ready=False)
    return caught.value, clock, time.monotonic() - started


@pytest.fixture
def start():
    made = []

    def started(code, **options):
        made.append(subprocess.Popen([sys.executable, "-c", code], **options))
        return made[-1]

    yield started
    for process in made:
        process.kill()
        process.wait()


def test_time_that_is_used_counts(start):
    error, clock, _ = watched(start(SPIN), 0.5)
    assert type(error) is LimitError
    assert clock.used_s >= 0.4


def test_time_that_is_slept_counts_as_much(start):
    error, clock, took = watched(start(SLEEP), 0.8)
    assert type(error) is LimitError
    assert "waiting included" in str(error)
    assert clock.idle_s > 0.5 and took < PATIENCE * 0.8


@pytest.mark.slow
def test_time_that_others_took_is_no_finding(start):
    """On one processor with somebody who always goes first."""
    processor = min(os.sched_getaffinity(0))

    def pinned():
        os.sched_setaffinity(0, {processor})

    start(SPIN, preexec_fn=pinned)
    error, clock, took = watched(start(LAST + SPIN, preexec_fn=pinned), 0.3)
    assert type(error) is BusyError
    assert clock.used_s < 0.3 and took >= PATIENCE * 0.3


def test_time_before_it_is_waited_for_does_not_count(start):
    process, clock = start(SLEEP), Clock(0.3)
    time.sleep(0.5)
    clock.resume()
    clock.tick(process.pid, ready=False)
    assert clock.idle_s < 0.1


@pytest.mark.parametrize(("exit_code", "late"), [(-9, True), (0, False), (-11, False)])
def test_who_is_ended_by_the_kernel_at_its_limit_is_late(exit_code, late):
    clock = Clock(10)
    clock.used_s = 9.5
    if late:
        with pytest.raises(LimitError, match="did not end within arena.limits.seconds = 10 of CPU time"):
            clock.ended(exit_code)
    else:
        clock.ended(exit_code)
    Clock(10).ended(-9)
