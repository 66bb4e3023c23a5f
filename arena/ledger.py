"""
Every trial, for good: SQLite in user_data/ledger.db, outside git, so that `git reset --hard` does not forget one.

Each row carries the hash of the one before: a row that is removed, changed or moved breaks the chain. Kinds of rows:
`trial`, one evaluation of one source under one contract, failed ones included; `contract`, written by prepare.py
when data, configuration or contract code changed; and what judge.py did: `opening`, before the holdout is shown to one
source, `judgement`, what came of it, `forward`, how an archived strategy did on candles after the arena's end. An unchanged
source under an unchanged contract is answered from here and is no new trial.

Not covered: whoever may write the file can rebuild the whole chain, or cut off its newest rows. The hash that every
`round:` block shows as `head` tells: a run.log that names a head which the ledger does not hold was followed by a change.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arena.errors import LedgerError

LEDGER = "user_data/ledger.db"
GENESIS = "0" * 64
LIMIT = "LimitError"
"""Kind of the one failure that says as much of the machine as of the source."""
TIMEOUT_S = 30
COLUMNS = (
    "number", "time", "kind", "contract", "strategy", "sha256", "source", "commit_id", "error_kind", "result", "verdict", "returns", "before",
)  # fmt: skip
"""What the hash covers, in this order."""

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


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger, without its place in the chain."""

    kind: str  # as the module says
    contract: str
    strategy: str = ""
    sha256: str = ""
    source: str = ""
    commit_id: str = ""
    error_kind: str = ""
    result: str = "{}"  # JSON of the Result, of what changed in the contract, or of what judge.py found
    verdict: str = ""
    returns: bytes = b""  # float64, little-endian: daily returns of the search range


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry that is no trial, as a reader needs it."""

    number: int
    time: str  # ISO 8601, UTC
    contract: str
    strategy: str
    sha256: str
    result: str  # JSON
    verdict: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What a reader of the ledger needs of one trial."""

    commit: str
    strategy: str
    sha256: str
    source: str
    error_kind: str
    result: str  # JSON of the Result
    time: str  # when it was recorded, ISO 8601, UTC
    verdict: str
    returns: NDArray[np.float64]  # (n_days,) of the search range; empty for one that failed


class Ledger:
    """
    Opens and closes the file at every call, so that several processes may share it.

    Raises LedgerError when the file cannot be read or written: a figure that is not recorded is not printed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Entry) -> int:
        """Write one row and return its number. Another process's row may come between two of ours, never inside."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            number, before = db.execute("SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1").fetchone() or (0, GENESIS)
            values = {
                "number": number + 1,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                **{name: getattr(entry, name) for name in Entry.__slots__},
                "before": before,
            }
            row = [_text(values[name]) for name in COLUMNS]
            db.execute(
                f"INSERT INTO entries ({', '.join(COLUMNS)}, hash) VALUES ({', '.join('?' * (len(COLUMNS) + 1))})", [*row, _hash(row)]
            )
            db.execute("COMMIT")
            return number + 1

    def answer(self, contract: str, sha256: str) -> str | None:
        """JSON of the newest Result for this source under this contract, or None. Limits depend on the machine: asked again."""
        with self._connection() as db:
            row = db.execute(
                "SELECT result FROM entries WHERE kind = 'trial' AND contract = ? AND sha256 = ? AND error_kind != ? "
                "ORDER BY number DESC LIMIT 1",
                (contract, sha256, LIMIT),
            ).fetchone()
        return row[0] if row else None

    def n_trials(self, contract: str) -> int:
        """Distinct sources that were evaluated under this contract."""
        with self._connection() as db:
            return db.execute("SELECT COUNT(DISTINCT sha256) FROM entries WHERE kind = 'trial' AND contract = ?", (contract,)).fetchone()[0]

    def trials(self, contract: str) -> list[Trial]:
        """Every trial under this contract, oldest first."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT commit_id, strategy, sha256, source, error_kind, result, time, verdict, returns FROM entries WHERE kind = 'trial' AND contract = ? ORDER BY number",
                (contract,),
            ).fetchall()
        return [Trial(*row, np.frombuffer(returns, dtype="<f8")) for *row, returns in rows]

    def noted(self, kind: str) -> list[Noted]:
        """Every entry of one kind, whatever its contract, oldest first."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT number, time, contract, strategy, sha256, result, verdict FROM entries WHERE kind = ? ORDER BY number", (kind,)
            ).fetchall()
        return [Noted(*row) for row in rows]

    def head(self) -> str:
        """Hash of the newest entry. Whoever noted it elsewhere can tell later whether newer or older rows are gone."""
        with self._connection() as db:
            row = db.execute("SELECT hash FROM entries ORDER BY number DESC LIMIT 1").fetchone()
        return row[0] if row else GENESIS

    def last_contract(self) -> str | None:
        """The contract of the newest entry."""
        with self._connection() as db:
            row = db.execute("SELECT contract FROM entries ORDER BY number DESC LIMIT 1").fetchone()
        return row[0] if row else None

    def check(self) -> list[str]:
        """One sentence for each break of the chain; empty when every row is as it was written."""
        problems, before, expected = [], GENESIS, 1
        with self._connection() as db:
            for *row, written in db.execute(f"SELECT {', '.join(COLUMNS)}, hash FROM entries ORDER BY number"):
                number = row[0]
                if number != expected:
                    problems.append(f"entry {expected} is missing: entry {number} follows {expected - 1}")
                if row[-1] != before:
                    problems.append(f"entry {number} does not continue the entry before it")
                if _hash(row) != written:
                    problems.append(f"entry {number} was changed after it was written")
                before, expected = written, number + 1
        return problems

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.path, timeout=TIMEOUT_S, isolation_level=None)
            try:
                _use_wal(db)
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(SCHEMA)
                yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise LedgerError(_explain(self.path, error)) from None


def _use_wal(db: sqlite3.Connection) -> None:
    """Write-ahead logging. Alone of all statements the change of a new file to it does not wait for another process."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def distinct(trials: list[Trial]) -> dict[str, Trial]:
    """By source, in the order in which they first came: the newest evaluation, one that ended at a limit only where there is no other."""
    found: dict[str, Trial] = {}
    for trial in trials:
        if trial.sha256 not in found or trial.error_kind != LIMIT:
            found[trial.sha256] = trial
    return found


def returns_bytes(returns: tuple[float, ...]) -> bytes:
    return np.asarray(returns, dtype="<f8").tobytes()


def _text(value: object) -> object:
    """A file name that is not UTF-8 holds lone surrogates, which SQLite refuses: they become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _hash(row: list) -> str:
    digest = hashlib.sha256()
    for value in row:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest.update(len(data).to_bytes(8, "little") + data)  # lengths keep neighbours apart
    return digest.hexdigest()


def _explain(path: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if "readonly" in text or "unable to open" in text:
        return f"the ledger {path} cannot be written ({text}). Trials must be recorded: make its folder writable."
    if "full" in text:
        return f"the disk is full, so the ledger {path} could not record a trial. Free some space and run again; nothing is half-written."
    if "locked" in text:
        return f"the ledger {path} stayed locked for {TIMEOUT_S} s by another process. Wait for it to end, then run again."
    return f"the ledger {path} cannot be used: {text}. Move it away to begin a new one, and keep it: it holds the count of trials."
