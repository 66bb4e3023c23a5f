"""
git, called so that nothing of the user's own work is touched and nothing of the user's set-up gets in the way.

No hook runs, nothing is signed or collected, line ends stay as they are, and Ctrl-C does not reach a call that is under
way. Where the user has no name or address for commits, Touchstone's stand in.
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
    """One call, whatever it returns. Raises ArenaError without git, and when it does not end."""
    words = git.command(*arguments, options=(*QUIET, *options))
    try:
        return subprocess.run(
            words, cwd=cwd, env=git.environment(cwd) | variables, capture_output=True, text=True, errors="replace",
            timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise ArenaError(
            "git is not installed, or the folder is gone. drive.py keeps and discards with git: install it."
        ) from None
    except subprocess.TimeoutExpired:
        raise ArenaError(f"git {arguments[0]} did not end within {TIMEOUT_S} s in {cwd}.") from None


def told(cwd: Path, *arguments: str, options: tuple[str, ...] = (), **variables: str) -> str:
    """What a call prints, without the last newline. Raises ArenaError with git's own words when it fails."""
    done = call(cwd, *arguments, options=options, **variables)
    if done.returncode:
        words = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise ArenaError(f"git {arguments[0]} failed in {cwd}: {words}")
    return done.stdout.removesuffix("\n")


def identity(cwd: Path) -> tuple[str, ...]:
    """Options that name the committer, for what the user's set-up leaves out."""
    return tuple(f"{key}={value}" for key, value in IDENTITY.items() if not call(cwd, "config", key).stdout.strip())


def repository(root: Path) -> Path:
    """
    The folder in which git keeps the repository of the checkout `root`.

    Raises ArenaError where there is none, or it has no commit to begin a branch at.
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
