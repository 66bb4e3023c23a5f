"""
The git worktree of a run, below user_data/worktrees: its own branch and index, with the arena's data and ledger shared.

Every call names the worktree's own git folder: if its `.git` were gone, git would find the user's checkout above it.
`settle` brings the worktree to one commit on its branch, whatever an interruption, a program or a person left there.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from arena.errors import ArenaError
from arena.files import write_whole
from arena.ledger import data_lock
from arena.ledger.store import LEDGER
from arena.ledger.strategy_files import FOLDER
from loop import git

WORKTREES = Path("user_data", "worktrees")
PREFIX = "autoresearch/"
NUDGES, LEARNINGS, RESULTS = "nudges.md", "learnings.md", "results.tsv"
SHARED = (data_lock.FILE, data_lock.DATA, LEDGER, "user_data/.lock", NUDGES)
"""What the worktree shares with the checkout, by links. One ledger counts the trials of all runs."""
OWN = (RESULTS, LEARNINGS)
"""What a run writes beside its commits; it outlives every reset."""
IGNORED = (
    *SHARED,
    *OWN,
    f"{LEDGER}-wal",
    f"{LEDGER}-shm",
    "run.log",
    "frontier.png",
    "uv.lock",
    ".venv",
    "__pycache__",
)
LOCKED_S = 3.0
"""How long git calls that outlived their caller may hold a lock file; calls here take fractions of a second."""
_TAG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*")


class Worktree:
    """The worktree of the run `tag` in the checkout `root`. Nothing is created before `settle`."""

    def __init__(self, root: Path, tag: str) -> None:
        if not _TAG.fullmatch(tag) or tag.endswith((".", ".lock")):
            raise ArenaError(
                f"the tag {tag!r} names a branch and a folder. Use letters, digits, '-', '_' and single dots."
            )
        self.root, self.tag, self.branch = root, tag, PREFIX + tag
        self.common = git.repository(root)
        self.folder = root / WORKTREES / tag
        self._identity = git.identity(root)

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def branch_head(self) -> str | None:
        """Returns the commit of the run's branch; None if there is no such branch."""
        return git.call(self.root, "rev-parse", "--verify", "--quiet", self.ref).stdout.strip() or None

    def head(self) -> str:
        """Returns the commit that is checked out, 40 digits."""
        return self._git("rev-parse", "HEAD")

    def settle(self, head: str) -> None:
        """
        Makes the worktree hold exactly `head`, on the run's branch; results.tsv and learnings.md stay.

        Raises ArenaError when the branch is checked out elsewhere.
        """
        self._refuse_elsewhere()
        self._register(head)
        self._unlock()
        entry = self._entry()
        (entry / "index").unlink(missing_ok=True)  # git rebuilds it: marks in it can hide a file from a reset
        for name in ("rebase-merge", "rebase-apply", "sequencer"):
            shutil.rmtree(entry / name, ignore_errors=True)
        self._git("update-ref", self.ref, head)
        self._git("symbolic-ref", "HEAD", self.ref)
        self._git("reset", "--quiet", "--hard", head)
        self._git("clean", "-ffdq")
        self._git("clean", "-ffdqx", "--", FOLDER.as_posix())
        (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)
        self._share()

    def commit(self, files: Mapping[str, str | None], message: str, parent: str) -> str:
        """Writes the strategies `files` (None removes one) and commits them on top of `parent`. Returns the commit."""
        self.settle(parent)
        for name, source in files.items():
            file = self.folder / FOLDER / f"{name}.py"
            if source is None:
                file.unlink(missing_ok=True)
            else:
                write_whole(file, source.encode())
        return self._commit([f"{FOLDER.as_posix()}/{name}.py" for name in files], message)

    def take_over(self) -> str:
        """Commits locked files, such as config.json, that are edited in the checkout. Returns the head."""
        locked = sorted({name for place in (self.root, self.folder) for name in data_lock.locked_files(place)})
        other = [name for name in locked if _bytes(self.root / name) != _bytes(self.folder / name)]
        for name in other:
            data, file = _bytes(self.root / name), self.folder / name
            if data is None:
                file.unlink(missing_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(file, data)
        return self._commit(other, f"The arena as it is prepared: {', '.join(other)}") if other else self.head()

    def discard(self, commit: str, parent: str) -> None:
        """Takes back the commit on top of `parent`; does nothing if that was done before."""
        if self.head() == commit:
            self._git("reset", "--quiet", "--hard", "HEAD~1")
        if self.head() != parent:
            self.settle(parent)

    def changed(self, head: str) -> list[str]:
        """
        Returns paths outside the strategies that differ from `head`, whatever index and branch say, except ignored
        ones.
        """
        index = {"GIT_INDEX_FILE": str(self._entry() / "index.compared")}
        try:
            self._git("read-tree", head, **index)
            differ = self._git("diff", "--name-only", "--no-renames", "-z", **index)
            new = self._git("ls-files", "-z", "--others", "--exclude-standard", **index)
        finally:
            Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
        links = [name for name in SHARED if not self._is_shared(name)]
        paths = sorted({*differ.split("\0"), *new.split("\0"), *links} - {""})
        return [name for name in paths if not _is_strategy(name)]

    def _git(self, *arguments: str, **variables: str) -> str:
        where = {"GIT_DIR": str(self._entry()), "GIT_WORK_TREE": str(self.folder)}
        options = (*self._identity, f"core.excludesFile={self._ignored()}")
        return git.told(self.folder, *arguments, options=options, **where, **variables)

    def _ignored(self) -> Path:
        """Returns an ignore file for our files, which the repository's .gitignore may not list."""
        file = self._entry() / "ignored"
        if not file.exists():
            write_whole(file, "".join(f"{'' if '__' in name else '/'}{name}\n" for name in IGNORED).encode())
        return file

    def _entry(self) -> Path:
        """Returns git's folder for this worktree's head and index. Raises ArenaError if it is not registered."""
        if (entry := self._find_entry()) is None:
            raise ArenaError(f"{self.folder} is no worktree of {self.root} any more. Start again: it is made anew.")
        return entry

    def _find_entry(self) -> Path | None:
        for entry in (self.common / "worktrees").glob("*"):
            with contextlib.suppress(OSError):
                if Path((entry / "gitdir").read_text().strip()).parent.resolve() == self.folder.resolve():
                    return entry
        return None

    def _register(self, head: str) -> None:
        """Creates git's entry, the branch and the folder where they are missing."""
        entry, pointer = self._find_entry(), self.folder / ".git"
        if entry and self.folder.is_dir() and all((entry / name).exists() for name in ("HEAD", "commondir")):
            if _bytes(pointer) != (pointer_text := f"gitdir: {entry}\n".encode()):
                _remove(pointer)
                write_whole(pointer, pointer_text)
            if (_bytes(entry / "locked") or b"").startswith(b"initializing"):
                (entry / "locked").unlink()
            return
        aside = self.folder.with_name(f".{self.tag}.aside")
        if self.folder.exists():
            _remove(aside)
            self.folder.rename(aside)
        if entry:
            shutil.rmtree(entry)
        if self.branch_head() is None:
            git.told(self.root, "branch", "--no-track", self.branch, head)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        git.told(self.root, "worktree", "add", "--quiet", "--force", "--force", str(self.folder), self.branch)
        for name in OWN:
            if (aside / name).is_file():
                shutil.copy(aside / name, self.folder / name)
        _remove(aside)

    def _refuse_elsewhere(self) -> None:
        for part in git.told(self.root, "worktree", "list", "--porcelain").split("\n\n"):
            lines = dict(line.partition(" ")[::2] for line in part.splitlines())
            if lines.get("branch") == self.ref and Path(lines["worktree"]).resolve() != self.folder.resolve():
                raise ArenaError(
                    f"the branch {self.branch} is checked out in {lines['worktree']}. Check out another one there, or "
                    f"choose another --tag."
                )

    def _unlock(self) -> None:
        """Removes lock files of killed git calls. It waits first, so that running calls can remove theirs."""
        entry = self._entry()
        files = [entry / "index.lock", entry / "HEAD.lock", self.common / f"{self.ref}.lock"]
        deadline = time.monotonic() + LOCKED_S
        while any(file.exists() for file in files) and time.monotonic() < deadline:
            time.sleep(0.05)
        for file in files:
            file.unlink(missing_ok=True)

    def _share(self) -> None:
        for name in SHARED:
            if not self._is_shared(name):
                link = self.folder / name
                _remove(link)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(self._target(name))

    def _target(self, name: str) -> str:
        return os.path.relpath(self.root / name, (self.folder / name).parent)

    def _is_shared(self, name: str) -> bool:
        link = self.folder / name
        return link.is_symlink() and os.readlink(link) == self._target(name)

    def _commit(self, names: list[str], message: str) -> str:
        present = [name for name in names if (self.folder / name).exists()]
        removed = [name for name in names if name not in present]
        if present:
            self._git("add", "--force", "--", *present)
        if removed:
            self._git("rm", "--quiet", "--cached", "--ignore-unmatch", "--", *removed)
        self._git("commit", "--quiet", "--no-verify", "--cleanup=verbatim", "-m", message)
        return self.head()


def tags(root: Path) -> list[str]:
    """Returns the tags whose branch exists."""
    listed = git.told(root, "for-each-ref", "--format=%(refname:short)", f"refs/heads/{PREFIX}")
    return [name.removeprefix(PREFIX) for name in listed.splitlines()]


def _is_strategy(name: str) -> bool:
    path = Path(name)
    return path.parent == FOLDER and path.suffix == ".py" and not path.name.startswith("_")


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _remove(path: Path) -> None:
    """Removes a file, a link or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
