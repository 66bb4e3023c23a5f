"""
The time of a worker: what it used of processors, and in which it wanted none. Waiting for a processor that others have
is the machine's.
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
While a worker says nothing, its fork server is looked after this often, and the worker's own use of time about twice as
often.
"""
PATIENCE = 20
"""By the clock a worker may take this many times its limit, if it is because others have the processors."""


class Clock:
    """
    The time of one worker, while it is waited for. What it used of processors is added up as the kernel counts it;
    whether it wanted one is seen at instants that it cannot foresee, each of which stands for the time since the one
    before.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.used_s = self.idle_s = self.waited_s = 0.0
        self._last, self._unseen, self._dice = time.monotonic(), 0.0, random.SystemRandom()

    def resume(self) -> None:
        self._last = time.monotonic()

    def pause(self) -> float:
        """Seconds until the next look; sooner where the limit may be reached by then."""
        left = self.seconds - self.used_s - self.idle_s
        return max(min(self._dice.uniform(0, WATCH_S), left / (os.cpu_count() or 1)), 0.02)

    def tick(self, pid: int, *, ready: bool) -> None:
        """
        Look, unless an answer is there and the last look was not long ago. Raises LimitError when its time is up, and
        BusyError when it got none of the machine's.
        """
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        self.waited_s += elapsed
        self._unseen += elapsed
        if ready and self._unseen < 2 * WATCH_S:
            return
        seen = usage.of(pid)
        if seen is not None:
            self.used_s = max(self.used_s, seen.cpu_s)
        if sys.platform == "linux" and not (seen and seen.eager):
            self.idle_s += self._unseen
        self._unseen = 0.0
        if self.used_s + self.idle_s >= self.seconds:
            raise LimitError(self._late())
        if self.waited_s >= PATIENCE * self.seconds:
            self._give_up(known=seen is not None)

    def ended(self, exit_code: int | None) -> None:
        """Raises LimitError where the kernel ended the process because of its time."""
        if exit_code in (-signal.SIGXCPU, -signal.SIGKILL) and self.used_s + self.idle_s >= 0.9 * self.seconds:
            raise LimitError(self._late())

    def _late(self) -> str:
        return f"did not end within arena.limits.seconds = {self.seconds:g} of CPU time" + (
            ", waiting included" if self.idle_s else ""
        )

    def _give_up(self, *, known: bool) -> None:
        """Where /proc does not tell what the worker wanted, the queue for the processors does, as far as it can."""
        if not known and os.getloadavg()[0] <= (os.cpu_count() or 1):
            raise LimitError(self._late())
        raise BusyError(
            f"the machine is busy: in {self.waited_s:.0f} s a strategy got {self.used_s:.1f} s of CPU time. Run again "
            f"when it is not; nothing of it is a trial."
        )
