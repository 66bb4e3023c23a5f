"""
data.lock.json: the state of the arena when it was prepared. It holds the sha256 of every data file, of config.json and
of all code that the commands run, and the versions of the packages that compute the figures.

The contract, which every block shows, is one hash over everything that can change a figure, a gate or a verdict: data,
config.json, the packages' versions and the code without PRESENTATION. Code that only formats and prints is locked too,
so that nobody prints figures that were never computed. It is no part of the contract, so a changed sentence starts no
new contract.

We verify the bytes that we use: a file is opened once, and its hash is that of the parsed bytes (`reader`). We follow
no link, neither to a file nor to a folder below the repository. A worktree of drive.py refers to the checkout by links
with a fixed text; there we open the checkout's own files (`place`).
"""

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from arena.errors import ArenaError, LockError
from arena.files import file_sha256, write_whole
from arena.settings import Settings, fingerprint, parsed
from arena.startup import isolation

FILE = "data.lock.json"
FORMAT = 1
DATA = "user_data/data"
CODE = ("config.json",)
"""Files of the contract outside of arena/."""
FOLDERS = ("arena", "judge")
SCRIPTS = ("prepare.py", "run.py", "judge.py")
"""Where all locked code is, beside config.json."""
PRESENTATION = ("arena/reports/", "arena/cli.py", "arena/progress.py", "arena/text.py", "judge/", *SCRIPTS)
"""Files and folders of code that prints results and decides nothing."""
ENGINES = ("arch", "freqtrade", "numba", "numpy", "pandas", "scipy", "ta-lib")
"""Packages whose version can change a figure."""
COVERED = ("data", "content", "code", "engines", "arena")
"""Fields of a Lock that its contract hashes."""


class Hashes(NamedTuple):
    """sha256 by path below the repository, of config.json and of all locked code."""

    contract: dict[str, str]
    presentation: dict[str, str]


@dataclass(frozen=True, slots=True)
class Lock:
    contract: str  # sha256 over `data`, `content`, `code`, `engines` and `arena`
    data: dict[str, str]  # path below the repository -> sha256, of candles and metadata in the clear
    sealed: dict[str, str]  # path -> sha256 of the encrypted file, which differs each time it is sealed
    content: dict[str, str]  # path -> sha256 of its sealed content, the same for the same candles
    code: dict[str, str]
    engines: dict[str, str]
    source: dict[str, Any]  # where the candles came from: label and what is needed to request them again
    arena: dict[str, Any]  # the part of config.json that determines the candles
    facts: dict[str, Any]  # gaps, ranges, notes: for people
    presentation: dict[str, str] = field(default_factory=dict)  # like `code`, for files outside of the contract

    @property
    def all_code(self) -> dict[str, str]:
        return self.code | self.presentation


def verify(settings: Settings) -> Lock:
    """Read the lock and compare every file with it. Raises LockError that names the first file that differs."""
    lock = read(settings.root)
    if lock is None:
        raise LockError(
            "the arena is not prepared. Run `uv run prepare.py` (or with --from PATH for candle files, --sample for a "
            "sample market)."
        )
    changed = differences(lock, settings)
    if changed:
        raise LockError(
            f"{changed[0]}. Run `uv run prepare.py` to lock the arena again; trials so far keep their old contract."
        )
    return lock


def differences(lock: Lock, settings: Settings) -> list[str]:
    """One sentence for each file or version that differs from the lock; empty when nothing changed."""
    problems = []
    locked_data, hashes = lock.data | lock.sealed, code_hashes(settings)
    for kind, locked, now in (
        ("contract", lock.code, hashes.contract),
        ("program", lock.presentation, hashes.presentation),
        (
            "data",
            locked_data,
            {name: _sha256(settings.root, name) for name in locked_data.keys() | _data_files(settings.root)},
        ),
    ):
        for name in sorted(locked.keys() | now.keys()):
            if now.get(name) is None and (link := _link(settings.root, name)):
                problems.append(f"{kind} file {name}: {link} is a link, which is not followed")
            elif now.get(name) is None:
                problems.append(f"{kind} file {name} is missing")
            elif name not in locked:
                problems.append(f"{kind} file {name} is new since the lock")
            elif locked[name] != now[name]:
                problems.append(f"{kind} file {name} has changed since the lock")
    for name, installed in engine_versions().items():
        if lock.engines.get(name) != installed:
            problems.append(f"{name} is {installed}, the arena was locked with {lock.engines.get(name)}")
    return problems


def read(root: Path) -> Lock | None:
    """The present lock, or None. Raises LockError for an invalid one."""
    try:
        raw = json.loads(read_bytes(root, FILE))
        if raw.pop("format") != FORMAT:
            raise ValueError("another version of Touchstone wrote it")
        lock = Lock(**raw)
        if lock.contract != contract_of({name: raw[name] for name in COVERED}):
            raise ValueError("its contract is not the hash of what it locks")
        return lock
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise LockError(f"{FILE} cannot be read: {error}. Run `uv run prepare.py --force` to write it anew.") from None


def make(
    settings: Settings,
    data: Path,
    *,
    content: dict[str, str],
    source: dict[str, Any],
    arena: dict[str, Any],
    facts: dict[str, Any],
) -> Lock:
    """
    Hash data and contract as they are now. `data` is the folder of candles, wherever it is now; its files are locked
    under their names below user_data/data.
    """
    confirm()
    files, code = {f"{DATA}/{file.name}": file_sha256(file) for file in sorted(data.iterdir())}, code_hashes(settings)
    parts = {
        "data": {name: digest for name, digest in files.items() if name not in content},
        "content": content,
        "code": code.contract,
        "engines": engine_versions(),
        "arena": arena,
    }
    sealed = {name: digest for name, digest in files.items() if name in content}
    return Lock(
        contract=contract_of(parts), sealed=sealed, source=source, facts=facts, presentation=code.presentation, **parts
    )


def renew(lock: Lock, settings: Settings) -> Lock:
    """The same data under the present contract code, configuration and versions."""
    confirm()
    code = code_hashes(settings)
    parts = {
        "data": lock.data,
        "content": lock.content,
        "code": code.contract,
        "engines": engine_versions(),
        "arena": lock.arena,
    }
    return replace(
        lock, contract=contract_of(parts), code=parts["code"], engines=parts["engines"], presentation=code.presentation
    )


def confirm(lock: Lock | None = None) -> None:
    """
    Raises LockError where this process or its fork server runs code that differs from what is installed or locked.

    Call it after all imports: `verify` reads files, and this function checks the bytes that were compiled.
    """
    if problems := isolation.problems():
        raise LockError(f"{problems[0]}. `uv sync --reinstall` installs every package anew.")
    if lock is not None and isolation.isolated():
        locked = lock.all_code
        for name, digest in isolation.loaded.items():
            if _is_locked(name) and locked.get(name) != digest:
                raise LockError(
                    f"{name} is not what the arena was locked with. It changed while it was loaded: run again."
                )


def reader(lock: Lock, root: Path) -> Callable[[str], bytes]:
    """
    A function that reads a locked data file by its name, once. It raises LockError where the bytes differ from the
    lock.
    """
    locked = lock.data | lock.sealed

    def read_locked(name: str) -> bytes:
        path = f"{DATA}/{name}"
        try:
            data = read_bytes(root, path)
        except OSError as error:
            raise LockError(
                f"data file {path} cannot be read: {error.strerror or error}. Run `uv run prepare.py`."
            ) from None
        if locked.get(path) != hashlib.sha256(data).hexdigest():
            raise LockError(f"data file {path} has changed since the lock. Run `uv run prepare.py`.")
        return data

    return read_locked


def read_bytes(root: Path, name: str) -> bytes:
    """A file's bytes. Raises OSError, also where the file, or a folder between it and the repository, is a link."""
    return isolation.read_below(place(root, name), name)


def place(root: Path, name: str) -> Path:
    """
    The folder that contains a file of the arena: `root`, or the checkout whose data and lock the worktree `root`
    shares.
    """
    if root.parent.parts[-2:] == ("user_data", "worktrees"):
        checkout, shared = root.parents[2], FILE if name == FILE else DATA
        with suppress(OSError):
            if os.readlink(root / shared) == os.path.relpath(checkout / shared, (root / shared).parent):
                return checkout
    return root


def _link(root: Path, name: str) -> str | None:
    """The first link among the folders down to a file and the file itself; None if there is none."""
    top = place(root, name)
    parts = Path(name).parts
    return next(
        (str(part) for depth in range(1, len(parts) + 1) if (top / (part := Path(*parts[:depth]))).is_symlink()), None
    )


def _is_locked(name: str) -> bool:
    return name.partition("/")[0] in FOLDERS or name in SCRIPTS


def conditions(lock: Lock) -> str:
    """sha256 over everything that determines figures except code: candles, config.json, ranges."""
    return contract_of(
        {"data": lock.data, "content": lock.content, "config.json": lock.code["config.json"], "arena": lock.arena}
    )


def contract_of(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def write(root: Path, lock: Lock) -> None:
    """Write the lock, whole or not at all."""
    fields = {name: getattr(lock, name) for name in Lock.__slots__}
    write_whole(root / FILE, json.dumps({"format": FORMAT, **fields}, indent=1).encode())


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Allow one preparation at a time. Raises ArenaError when another preparation or an evaluation is running."""
    with _locked(root, shared=False, message="another prepare.py or run.py is under way here. Wait for it to end."):
        yield


@contextmanager
def shared(root: Path) -> Iterator[None]:
    """Allow any number of evaluations at a time, but no preparation."""
    with _locked(root, shared=True, message="prepare.py is under way here. Wait for it to end."):
        yield


@contextmanager
def _locked(root: Path, *, shared: bool, message: str) -> Iterator[None]:
    file = root / "user_data" / ".lock"
    try:
        file.parent.mkdir(exist_ok=True)
        handle = file.open("a")
    except OSError as error:
        raise ArenaError(
            f"{file} cannot be written: {error.strerror}. The arena needs a writable user_data folder."
        ) from None
    with handle:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArenaError(message) from None
        yield


def code_hashes(settings: Settings) -> Hashes:
    """
    The hashes as the files are now. For config.json it is that of its parsed content; content that differs from what
    was loaded is refused.
    """
    root = settings.root
    contract: dict[str, str] = {}
    presentation: dict[str, str] = {}
    for name in locked_files(root):
        if (digest := _sha256(root, name)) is not None:
            (presentation if name.startswith(PRESENTATION) else contract)[name] = digest
    # a file that cannot be parsed keeps the hash of its bytes
    with suppress(OSError, ValueError, AttributeError, TypeError):
        contract["config.json"] = fingerprint(parsed(read_bytes(root, "config.json")))
    contract.setdefault("config.json", settings.sha256)
    return Hashes(contract, presentation)


def locked_files(root: Path) -> list[str]:
    """Paths below the repository of config.json and of all code that the lock covers."""
    code = (file for folder in FOLDERS for file in (root / folder).rglob("*.py"))
    return [*CODE, *SCRIPTS, *sorted(str(file.relative_to(root)) for file in code)]


def engine_versions() -> dict[str, str]:
    # included because sum() of floats is compensated from 3.12 on
    major_minor = ".".join(platform.python_version_tuple()[:2])
    return {"python": major_minor, **{name: version(name) for name in ENGINES}}


def _data_files(root: Path) -> set[str]:
    """
    Files that a worker could find in the data folder. Hidden files, which a desktop may create there, hold no candles.
    """
    top = place(root, DATA)
    files = (file for file in (top / DATA).rglob("*") if not file.name.startswith("."))
    return {str(file.relative_to(top)) for file in files if file.is_file() or file.is_symlink()}


def _sha256(root: Path, name: str) -> str | None:
    try:
        return hashlib.sha256(read_bytes(root, name)).hexdigest()
    except OSError:
        return None
