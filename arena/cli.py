"""Lets the commands report what they are doing, and what went wrong."""

import argparse
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TextIO

from arena import progress
from arena.errors import ArenaError


def parser(doc: str) -> argparse.ArgumentParser:
    """
    Returns a command's parser. --help shows the first paragraph of the module's docstring, and its usage at the end.
    """
    first, _, rest = doc.strip().partition("\n\n")
    return argparse.ArgumentParser(
        description=first,
        epilog=rest[rest.index("Usage:") :].replace("Usage:", "examples:"),
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=28, width=118),
    )


def told(command: Callable[[], int], name: str, kept: str) -> int:
    """
    Runs a command and returns its exit code. Reports what goes wrong in one line on standard error.

    2 for an ArenaError or an OSError, such as a full disk; 130 after Ctrl-C. `kept` says what was not lost.
    """
    try:
        return command()
    except ArenaError as error:
        print(f"{name}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{name}: {error}. {kept}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{name}: interrupted. {kept}", file=sys.stderr)
        return 130
    return 2


class Live:
    """
    Shows what is being done, and for how long. On a terminal it rewrites one line every second; elsewhere it prints
    each step as a line of its own, if `steps` is true. `say` prints what stays.
    """

    def __init__(self, out: TextIO, *, steps: bool) -> None:
        self.out, self.steps, self.terminal = out, steps, out.isatty()
        self._doing: dict[str, tuple[str, float]] = {}  # by strategy; "" stands for the whole command
        self._shown = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._open = ExitStack()

    def __enter__(self) -> "Live":
        self._open.enter_context(progress.told_to(self._step))
        if self.terminal:
            threading.Thread(target=self._repaint, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._open.close()
        with self._lock:
            self._doing.clear()
            self._clear()

    def say(self, line: str) -> None:
        with self._lock:
            self._clear()
            print(line, flush=True)
            self._paint()

    def _step(self, who: str, what: str) -> None:
        with self._lock:
            if not what:
                self._doing.pop(who, None)
            else:
                self._doing[who] = what, time.monotonic()
                if who and self.steps and not self.terminal:
                    print(f"{self._whole()}{who} {what}", file=self.out, flush=True)
            self._paint()

    def _repaint(self) -> None:
        while not self._ended.wait(1):
            with self._lock:
                self._paint()

    def _paint(self) -> None:
        if not self.terminal or not self._doing or self._ended.is_set():
            return
        now = time.monotonic()
        text_by_name = {who: f"{who} {what} {now - since:.0f} s".strip() for who, (what, since) in self._doing.items()}
        line = (
            text_by_name[""]
            if set(text_by_name) == {""}
            else self._whole() + ", ".join(text for who, text in text_by_name.items() if who)
        )
        self._clear()
        self.out.write(line[: shutil.get_terminal_size().columns - 1])
        self.out.flush()
        self._shown = True

    def _whole(self) -> str:
        return f"{self._doing[''][0]}: " if "" in self._doing else ""

    def _clear(self) -> None:
        if self._shown:
            self.out.write("\r\x1b[K")
            self.out.flush()
            self._shown = False
