"""
The ledger's SQLite file: which file is opened, and what it may contain.

A trigger, a view, a partial index or a changed CHECK can drop or change rows while they are written and leave a chain
that looks complete. So the file may hold only what SCHEMA declares, word for word.
"""

import functools
import os
import sqlite3
from pathlib import Path

from arena.errors import LedgerError

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    number     INTEGER PRIMARY KEY,
    time       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('trial', 'contract', 'opening', 'judgement', 'forward')),
    contract   TEXT NOT NULL,
    strategy   TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    source     TEXT NOT NULL,
    commit_id  TEXT NOT NULL,
    error_kind TEXT NOT NULL,
    result     TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    returns    BLOB NOT NULL,
    before     TEXT NOT NULL,
    hash       TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS by_source ON entries (contract, sha256);
"""


def own_file(path: Path) -> Path:
    """
    The file itself. We follow a link only where a run's worktree shares the ledger of its checkout, because a link's
    target can be exchanged between two accesses. Raises LedgerError for other links.
    """
    path = Path(os.path.abspath(path))
    if path.is_symlink() and path.parents[2].name == "worktrees":
        shared = path.parents[3] / path.name
        if os.path.normpath(path.parent / os.readlink(path)) == str(shared):
            path = shared
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + suffix)
        if file.is_symlink():
            raise LedgerError(f"{file} is a symbolic link to {os.readlink(file)}. Put the ledger's file itself there.")
    return path.parent.resolve() / path.name


def declare(db: sqlite3.Connection) -> None:
    """Create the table and the index where they are missing."""
    if not {name for _, name, _ in _objects(db)} >= {name for _, name, _ in _own_objects()}:
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")


def refuse_others(path: Path, db: sqlite3.Connection) -> None:
    """Raises LedgerError for anything in the database except the table and the index as SCHEMA declares them."""
    declared = _own_objects()
    for kind, name, _ in sorted(_objects(db) - declared):
        if name in {declared_name for _, declared_name, _ in declared}:
            raise LedgerError(
                f"the ledger {path} cannot be used: its {kind} {name!r} is not the one that Touchstone makes, so rows "
                f"could be lost. "
                "Put a copy back that is whole, or move it away to begin a new one, and keep it: it holds the count of "
                "trials."
            )
        raise LedgerError(
            f"the ledger {path} cannot be used: it holds the {kind} {name!r}, which is not Touchstone's and could "
            f"change what is recorded. Keep a copy, "
            f'remove it with `DROP {kind.upper()} "{name}"` in sqlite3, then ask `uv run judge.py verify` whether '
            f"rows are missing."
        )


@functools.cache
def _own_objects() -> frozenset[tuple[str, str, str]]:
    db = sqlite3.connect(":memory:")
    try:
        db.executescript(SCHEMA)
        return _objects(db)
    finally:
        db.close()


def _objects(db: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """(type, name, SQL) of everything that the database declares."""
    return frozenset(db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master"))
