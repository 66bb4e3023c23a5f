"""
Calls git without touching the user's own work and without interference from the user's settings.

No hook runs, nothing is signed or garbage-collected, line ends stay as they are, and Ctrl-C does not reach a running
call. Where the user has no name or address for commits, Touchstone's are used.
"""

import subprocess
from pathlib import Path

from arena import git
from arena.errors import ArenaError

QUIET = (
    "commit.gpgsign=false", "gc.auto=0", "maintenance.auto=false", "core.autocrlf=false", "core.eol=lf",
    "core.quotePath=false", "advice.graftFileDeprecated=false",
)  # fmt: skip
IDENTITY = {"user.name": "Touchstone", "user.email": "touchstone@localhost"}
TIMEOUT_S = 120


def call(
    cwd: Path, *arguments: str, options: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs git and returns the process, whatever its exit code. Raises ArenaError without git, and after TIMEOUT_S."""
    command = git.command(*arguments, options=(*QUIET, *options))
    try:
        return subprocess.run(
            command, cwd=cwd, env=git.environment(cwd) | variables, capture_output=True, text=True, errors="replace",
            timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise ArenaError(
            "git is not installed, or the folder is gone. drive.py keeps and discards with git: install it."
        ) from None
    except subprocess.TimeoutExpired:
        raise ArenaError(f"git {arguments[0]} did not end within {TIMEOUT_S} s in {cwd}.") from None


def told(cwd: Path, *arguments: str, options: tuple[str, ...] = (), **variables: str) -> str:
    """Returns what git prints, without the last newline. Raises ArenaError with git's message if it fails."""
    process = call(cwd, *arguments, options=options, **variables)
    if process.returncode:
        message = " ".join(process.stderr.split()) or f"exit code {process.returncode}"
        raise ArenaError(f"git {arguments[0]} failed in {cwd}: {message}")
    return process.stdout.removesuffix("\n")


def identity(cwd: Path) -> tuple[str, ...]:
    """Returns options that name the committer, for what the user's settings leave out."""
    return tuple(f"{key}={value}" for key, value in IDENTITY.items() if not call(cwd, "config", key).stdout.strip())


def repository(root: Path) -> Path:
    """
    Returns the folder in which git keeps the repository of the checkout `root`.

    Raises ArenaError if there is none, or if it has no commit to begin a branch at.
    """
    top = call(root, "rev-parse", "--show-toplevel")
    if top.returncode or Path(top.stdout.strip()).resolve() != root:
        raise ArenaError(
            f"{root} is no git repository of its own, and drive.py keeps and discards with git. "
            'Clone Touchstone, or run `git init && git add -A && git commit -m "begin"` here.'
        )
    if call(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").returncode:
        raise ArenaError(f'the repository {root} has no commit yet. Run `git add -A && git commit -m "begin"` first.')
    return Path(root, told(root, "rev-parse", "--git-common-dir")).resolve()
