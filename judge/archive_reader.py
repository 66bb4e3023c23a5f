"""
versions/ as it lies there: which versions there are, whether they are as they were archived, and what they say of
themselves.
"""

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
    """Archived versions, oldest number first."""
    found = [file.parent.name for file in (root / FOLDER).glob(f"*/{SUMS}") if not file.parent.name.startswith(".")]
    return sorted(
        found, key=lambda name: [int(part) if part.isdigit() else -1 for part in name.replace("-", ".").split(".")]
    )


def contents(folder: Path) -> dict[str, bytes | None]:
    """The files of a version by their path in it, each read once; None for a link, and for what cannot be read."""
    found: dict[str, bytes | None] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() or file.is_symlink():
            name = str(file.relative_to(folder))
            found[name] = None
            with contextlib.suppress(OSError):
                found[name] = isolation.read_below(folder.parents[1], f"{folder.parent.name}/{folder.name}/{name}")
    return found


def broken(folder: Path, there: dict[str, bytes | None] | None = None) -> list[str]:
    """
    One sentence for each file of a version that is not as it was archived. `there` is what is used of it afterwards.
    """
    there = contents(folder) if there is None else there
    wanted = {}
    for line in (there.get(SUMS) or b"").decode(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        wanted[name] = digest
    found = [f"{name} is missing" for name in wanted if name not in there]
    found += [f"{name} is a link, or cannot be read" for name, data in there.items() if data is None]
    known = {name: hashlib.sha256(data).hexdigest() for name, data in there.items() if data is not None}
    found += [
        f"{name} has changed since it was archived"
        for name, digest in wanted.items()
        if known.get(name, digest) != digest
    ]
    free = {*UNCOVERED, *([RETROSPECTIVE] if RETROSPECTIVE not in wanted else [])}
    return found + [f"{name} was added after it was archived" for name in sorted(there.keys() - wanted.keys() - free)]


def read(root: Path, version: str, there: dict[str, bytes | None] | None = None) -> dict[str, Any]:
    """
    What a version's meta.yaml says; `there` are its contents where they were read already. Raises ArenaError where it
    cannot be read.
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
    sha256 of every source for which a version tells what this very holdout said. `holdout` is the id of its candles.
    """
    metas = [read(root, version) for version in versions(root)]
    return {
        one["sha256"]
        for meta in metas
        if holdout and meta["contract"].get("holdout") == holdout
        for one in meta["strategies"]
        if one["openings"]
    }
