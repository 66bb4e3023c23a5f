"""
The time of a worker: its CPU time, and the time in which it wanted no processor. Time spent waiting for a busy
processor does not count against the worker.
"""

import os
import random
import signal
import sys
import time

from arena.errors import BusyError, LimitError
from arena.sandbox import usage

WATCH_S = 1.0
"""
While a worker is silent, we check its fork server this often, and the worker's own use of time about twice as often.
"""
PATIENCE = 20
"""A worker may take this many times its limit in wall-clock time, if other processes keep the processors busy."""


class Clock:
    """
    The time of one worker while we wait for it. CPU time is what the kernel counts. We sample at random instants, which
    the worker cannot predict, whether it wants a processor; each sample stands for the time since the one before.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.used_s = self.idle_s = self.waited_s = 0.0
        self._last, self._unseen, self._dice = time.monotonic(), 0.0, random.SystemRandom()

    def resume(self) -> None:
        self._last = time.monotonic()

    def pause(self) -> float:
        """Seconds until the next sample; fewer where the limit may be reached by then."""
        remaining_s = self.seconds - self.used_s - self.idle_s
        return max(min(self._dice.uniform(0, WATCH_S), remaining_s / (os.cpu_count() or 1)), 0.02)

    def tick(self, pid: int, *, ready: bool) -> None:
        """
        Take a sample, unless an answer is ready and the last sample is recent. Raises LimitError when the worker's time
        is up, and BusyError when it got too little CPU time.
        """
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        self.waited_s += elapsed
        self._unseen += elapsed
        if ready and self._unseen < 2 * WATCH_S:
            return
        worker_usage = usage.of(pid)
        if worker_usage is not None:
            self.used_s = max(self.used_s, worker_usage.cpu_s)
        if sys.platform == "linux" and not (worker_usage and worker_usage.eager):
            self.idle_s += self._unseen
        self._unseen = 0.0
        if self.used_s + self.idle_s >= self.seconds:
            raise LimitError(self._late())
        if self.waited_s >= PATIENCE * self.seconds:
            self._give_up(known=worker_usage is not None)

    def ended(self, exit_code: int | None) -> None:
        """Raises LimitError where the kernel killed the process for its CPU time."""
        if exit_code in (-signal.SIGXCPU, -signal.SIGKILL) and self.used_s + self.idle_s >= 0.9 * self.seconds:
            raise LimitError(self._late())

    def _late(self) -> str:
        return f"did not end within arena.limits.seconds = {self.seconds:g} of CPU time" + (
            ", waiting included" if self.idle_s else ""
        )

    def _give_up(self, *, known: bool) -> None:
        """Where /proc does not show whether the worker wanted a processor, we judge by the machine's load average."""
        if not known and os.getloadavg()[0] <= (os.cpu_count() or 1):
            raise LimitError(self._late())
        raise BusyError(
            f"the machine is busy: in {self.waited_s:.0f} s a strategy got {self.used_s:.1f} s of CPU time. Run again "
            f"when it is not; nothing of it is a trial."
        )
