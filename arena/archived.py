"""versions/ as it lies there: which versions there are, whether they are as they were archived, and what they say of themselves."""

from pathlib import Path
from typing import Any

import yaml

from arena import lock
from arena.errors import ArenaError

FOLDER = "versions"
SUMS, META, RETROSPECTIVE, ERRATA, TRIALS = "SHA256SUMS", "meta.yaml", "retrospective.md", "errata.md", "ledger.parquet"
UNCOVERED = (SUMS, ERRATA)


def versions(root: Path) -> list[str]:
    """Archived versions, oldest number first."""
    found = [file.parent.name for file in (root / FOLDER).glob(f"*/{SUMS}") if not file.parent.name.startswith(".")]
    return sorted(found, key=lambda name: [int(part) if part.isdigit() else -1 for part in name.replace("-", ".").split(".")])


def broken(folder: Path) -> list[str]:
    """One sentence for each file of a version that is not as it was archived."""
    wanted = {}
    for line in (folder / SUMS).read_text().splitlines():
        digest, _, name = line.partition("  ")
        wanted[name] = digest
    there = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    found = [f"{name} is missing" for name in wanted if name not in there]
    found += [f"{name} has changed since it was archived" for name, digest in wanted.items() if name in there and lock.file_sha256(there[name]) != digest]
    free = {*UNCOVERED, *([RETROSPECTIVE] if RETROSPECTIVE not in wanted else [])}
    return found + [f"{name} was added after it was archived" for name in sorted(there.keys() - wanted.keys() - free)]


def read(root: Path, version: str) -> dict[str, Any]:
    """What a version's meta.yaml says. Raises ArenaError where it cannot be read."""
    file = root / FOLDER / version / META
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArenaError(f"{FOLDER}/{version}/{META} cannot be read: {' '.join(str(error).split())}. Restore it from git.") from None


def opened(root: Path, holdout: str) -> set[str]:
    """sha256 of every source for which a version tells what this very holdout said. `holdout` is the id of its candles."""
    metas = [read(root, version) for version in versions(root)]
    return {one["sha256"] for meta in metas if holdout and meta["contract"].get("holdout") == holdout for one in meta["strategies"] if one["openings"]}
