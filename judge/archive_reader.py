"""Reads versions/: which versions exist, whether their files are unchanged, and what their meta.yaml says."""

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import yaml

from arena.errors import ArenaError
from arena.startup import isolation

FOLDER = "versions"
SUMS, META, RETROSPECTIVE, ERRATA, TRIALS = "SHA256SUMS", "meta.yaml", "retrospective.md", "errata.md", "ledger.parquet"
UNCOVERED = (SUMS, ERRATA)


def versions(root: Path) -> list[str]:
    """Returns the archived versions, oldest number first."""
    names = [file.parent.name for file in (root / FOLDER).glob(f"*/{SUMS}") if not file.parent.name.startswith(".")]
    return sorted(
        names, key=lambda name: [int(part) if part.isdigit() else -1 for part in name.replace("-", ".").split(".")]
    )


def contents(folder: Path) -> dict[str, bytes | None]:
    """Returns each file's bytes by its path in the version, read once; None for links and unreadable files."""
    data_by_name: dict[str, bytes | None] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() or file.is_symlink():
            name = str(file.relative_to(folder))
            data_by_name[name] = None
            with contextlib.suppress(OSError):
                data_by_name[name] = isolation.read_below(
                    folder.parents[1], f"{folder.parent.name}/{folder.name}/{name}"
                )
    return data_by_name


def broken(folder: Path, there: dict[str, bytes | None] | None = None) -> list[str]:
    """
    Returns one sentence per file that has changed since it was archived. `there`: its `contents`, if the caller uses
    them.
    """
    there = contents(folder) if there is None else there
    wanted = {}
    for line in (there.get(SUMS) or b"").decode(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        wanted[name] = digest
    problems = [f"{name} is missing" for name in wanted if name not in there]
    problems += [f"{name} is a link, or cannot be read" for name, data in there.items() if data is None]
    digest_by_name = {name: hashlib.sha256(data).hexdigest() for name, data in there.items() if data is not None}
    problems += [
        f"{name} has changed since it was archived"
        for name, digest in wanted.items()
        if digest_by_name.get(name, digest) != digest
    ]
    optional = {*UNCOVERED, *([RETROSPECTIVE] if RETROSPECTIVE not in wanted else [])}
    return problems + [
        f"{name} was added after it was archived" for name in sorted(there.keys() - wanted.keys() - optional)
    ]


def read(root: Path, version: str, there: dict[str, bytes | None] | None = None) -> dict[str, Any]:
    """
    Returns a version's meta.yaml, from its contents `there` if they were read already. Raises ArenaError if it is
    unreadable.
    """
    try:
        data = isolation.read_below(root, f"{FOLDER}/{version}/{META}") if there is None else there[META] or b""
        return yaml.safe_load(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArenaError(
            f"{FOLDER}/{version}/{META} cannot be read: {' '.join(str(error).split())}. Restore it from git."
        ) from None


def opened(root: Path, holdout: str) -> set[str]:
    """
    Returns the sha256 of every source for which a version records an opening of this holdout, the id of its candles.
    """
    metas = [read(root, version) for version in versions(root)]
    return {
        strategy["sha256"]
        for meta in metas
        if holdout and meta["contract"].get("holdout") == holdout
        for strategy in meta["strategies"]
        if strategy["openings"]
    }
