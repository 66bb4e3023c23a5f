"""
Do the tests notice mistakes? Each one of mutations.toml is made in a copy of this checkout, and the tests run against
the copy.

The files that a mutation names run first, the whole tier only where they all pass. A test that fails counts when it
passes without the mutation. The checkout is only read: its commits, and what is not committed yet.

Reads   this checkout, and ../shared beside it
Writes  a line per mutation and their count to stdout; a temporary folder, removed at the end and after Ctrl-C
Exits   0 enough are caught (by default all)    1 too many survive    2 one cannot be made, or the tests cannot run

Usage:
    uv run tests/mutations/run.py                  # with the tests that `uv run pytest` runs
    uv run tests/mutations/run.py --ci             # with those that CI runs
    uv run tests/mutations/run.py --command "pytest -m slow"
    uv run tests/mutations/run.py --only booking   # those with this text in their file or reason
    uv run tests/mutations/run.py --check          # only whether each can be made
"""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIST = Path(__file__).with_name("mutations.toml")
LONGEST_S = 3600
"""Seconds that one run of the tests may take; a mutation may make a loop endless, and that is noticed too."""
PASSED = (0, 5)  # pytest's exit codes: all pass; none was selected
FAILED = (1, 2)  # a test fails; a test file cannot be imported


class CannotRun(Exception):
    """Why there is nothing to say about the tests."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """As mutations.toml explains it."""

    file: str
    old: str
    new: str
    why: str
    tests: list[str]

    def made(self, root: Path) -> str:
        """
        The text of its file with the mistake in it. Raises CannotRun where `old` does not stand there exactly once.
        """
        text = (root / self.file).read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise CannotRun(
                f"{self.file}: {self.old!r} stands there {count} times, expected once ({self.why}). Choose another "
                f"text in {LIST.name}."
            )
        return text.replace(self.old, self.new)


def listed() -> list[Mutation]:
    return [Mutation(**told) for told in tomllib.loads(LIST.read_text(encoding="utf-8"))["mutation"]]


class Copy:
    """
    A clone of the checkout in a temporary folder, with what is not committed yet, and a home for what the tests keep.
    """

    def __init__(self, folder: Path, command: list[str], ci: bool) -> None:
        self.root, self.command = folder / "checkout", command
        _git("clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.root))
        for name in filter(None, _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")):
            source, target = ROOT / name, self.root / name
            target.unlink(missing_ok=True)
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        if (shared := ROOT.parent / "shared").is_dir():
            (folder / "shared").symlink_to(shared.resolve())
        self.environment = _environment(folder, ci)
        self._stamp = int(time.time())

    @contextlib.contextmanager
    def with_(self, mutation: Mutation) -> Iterator[None]:
        file, made = self.root / mutation.file, mutation.made(self.root)
        before = file.read_text(encoding="utf-8")
        self._write(file, made)
        try:
            yield
        finally:
            self._write(file, before)

    def _write(self, file: Path, text: str) -> None:
        file.write_text(text, encoding="utf-8")
        self._stamp += 1  # Python knows a stale .pyc by the second of the last change and the size alone
        os.utime(file, (self._stamp, self._stamp))

    def failing(self, *words: str) -> list[str] | None:
        """
        The tests that fail, by their names in pytest; None when all pass. Raises CannotRun when pytest itself fails.
        """
        shutil.rmtree(self.root / ".pytest_cache", ignore_errors=True)
        code, printed = self._run(*words)
        if code in PASSED:
            return None
        names = self._last_failed()
        if code is not None and (code not in FAILED or not names):
            raise CannotRun(f"{shlex.join(self.command)} ended with exit code {code}:\n{printed[-2000:]}")
        return names or ["no end of the tests"]

    def passes(self) -> bool:
        """Whether the tests that failed pass now."""
        return not self._last_failed() or self._run("--last-failed")[0] in PASSED

    def _last_failed(self) -> list[str]:
        file = self.root / ".pytest_cache" / "v" / "cache" / "lastfailed"
        return list(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else []

    def _run(self, *words: str) -> tuple[int | None, str]:
        """
        Exit code, None where it did not end, and what was printed. The list's own test is left out: it knows every
        mutation.
        """
        words = (*self.command, "-x", "-q", "--tb=line", "--ignore=tests/test_mutations.py", *words)
        process = subprocess.Popen(
            words, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        try:
            printed, _ = process.communicate(timeout=LONGEST_S)
            return process.returncode, printed
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environment(folder: Path, ci: bool) -> dict[str, str]:
    """
    With this Python's programs first, and a cache of its own: what is compiled of a mutation stays out of the user's.
    """
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own = {"PATH": programs, "XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder / "config")}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CI", "PYTHONPATH") and not name.startswith("GIT_")
    }
    return kept | own | ({"CI": "true"} if ci else {})


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout


def noticed(copy: Copy, mutation: Mutation) -> str:
    """
    The test that catches a mutation; empty when it survives. Raises CannotRun for a test that fails without it too.
    """
    with copy.with_(mutation):
        found = copy.failing(*(f"tests/{name}" for name in mutation.tests)) or copy.failing()
    if found and not copy.passes():
        raise CannotRun(f"{found[0]} fails without a mutation too.")
    return found[0] if found else ""


def main() -> int:
    options = _options()
    chosen = [one for one in listed() if options.only in f"{one.file} {one.why}"]
    if not chosen:
        raise CannotRun(f"no mutation has {options.only!r} in its file or reason.")
    for one in chosen:
        one.made(ROOT)
    if options.check:
        print(f"{len(chosen)} mutations can be made")
        return 0
    command = shlex.split(options.command) if options.command else [sys.executable, "-m", "pytest"]
    survivors = []
    with tempfile.TemporaryDirectory(prefix="touchstone-mutations-") as folder:
        copy = Copy(Path(folder).resolve(), command, options.ci)
        for one in chosen:
            started = time.perf_counter()
            test = noticed(copy, one)
            survivors += [] if test else [one]
            fate = f"caught by {test}" if test else "SURVIVES"
            print(f"{one.file}: {one.why}: {fate}, {time.perf_counter() - started:.1f} s", flush=True)
    caught = len(chosen) - len(survivors)
    print(f"{caught} of {len(chosen)} caught" + "".join(f"\nsurvives: {one.file}: {one.why}" for one in survivors))
    return 0 if caught >= (len(chosen) if options.least is None else options.least) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="mutations with this text in their file or reason (default: all)"
    )
    parser.add_argument(
        "--command", metavar="LINE", help="how pytest is called in the copy (default: pytest of this Python)"
    )
    parser.add_argument("--ci", action="store_true", help="with CI=true, as CI runs the tests")
    parser.add_argument("--least", type=int, metavar="N", help="so many must be caught (default: all)")
    parser.add_argument("--check", action="store_true", help="only tell whether each mutation can be made")
    return parser.parse_args()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the copy is removed then too
    try:
        sys.exit(main())
    except CannotRun as error:
        print(f"mutations: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
