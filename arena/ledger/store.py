"""
Permanent record of every trial: SQLite in user_data/ledger.db, outside git, so that `git reset --hard` removes none.

Each row holds the hash of the row before: removing, changing or moving a row breaks the chain. Kinds of rows: `trial`,
one evaluation of one source under one contract, failed ones included, or, with the error kind UNFINISHED, the start of
one; `contract`, written when data, configuration or contract code changed, with a description of the candles
(`arena.ledger.trial_history`); and from judge.py: `opening`, before the holdout is shown to one source, `judgement`,
its result, `forward`, an archived strategy's result on candles after the arena's end. The ledger answers for an
unchanged source under an unchanged contract, which is no new trial.

The database holds one table and one index, word for word as in `arena.ledger.database`; anything else could change rows
while they are written, and is refused. We read a written row back through another connection. `arena.ledger.anchor`
records outside of the ledger where it ends, and nothing is appended to a ledger that ends elsewhere. No query uses the
index, which could omit rows.

Not covered: anyone who may write the file and its anchors can rebuild the whole chain or cut off its newest rows. The
`head` hash in every `round:` block reveals that: if the ledger does not hold the head that a run.log names, it was
changed later.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arena.errors import LedgerError, RefusedError
from arena.ledger import anchor, database
from arena.ledger.anchor import Anchor

LEDGER = "user_data/ledger.db"
GENESIS = "0" * 64
LIMIT = "LimitError"
"""Error kind of the only failure that depends on the machine as much as on the source."""
UNFINISHED = "Unfinished"
"""
Error kind of a row that is written before a source's code runs, or before the validation window is queried: the result
is not known yet.
"""
EVALUATION, LOOK = "evaluation", "look"
"""What begins. Any other text, which older ledgers contain, means both."""
REFUSED = RefusedError.__name__
"""Error kind of a source whose code never ran: it is recorded but does not count as a try."""
RUNS = f"kind = 'trial' AND error_kind != '{UNFINISHED}'"
TRIES = f"kind = 'trial' AND error_kind != '{REFUSED}'"
LOST = (
    "Put the newest {name} back. If it is gone, `uv run prepare.py --ledger-lost` goes on with what is there, and "
    "the trials that are missing still count"
)
TIMEOUT_S = 30
COLUMNS = (
    "number", "time", "kind", "contract", "strategy", "sha256", "source", "commit_id", "error_kind", "result",
    "verdict", "returns", "before",
)  # fmt: skip
"""What the hash covers, in this order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger, without its position in the chain."""

    kind: str  # one of those in the module's docstring
    contract: str
    strategy: str = ""
    sha256: str = ""
    source: str = ""
    commit_id: str = ""
    error_kind: str = ""
    result: str = "{}"  # JSON of the Result, of the changes of the contract, or of judge.py's findings
    verdict: str = ""
    returns: bytes = b""  # float64, little-endian: daily returns of the search range


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry that is no trial, with the fields that readers need."""

    number: int
    time: str  # ISO 8601, UTC
    contract: str
    strategy: str
    sha256: str
    result: str  # JSON
    verdict: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row about a try or a contract's candles, with the fields that `arena.ledger.trial_history` needs."""

    contract: str
    sha256: str
    error_kind: str
    result: str  # JSON
    data: bytes


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial, with the fields that readers need."""

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
    Opens and closes the file at every call, so that several processes can share it.

    Raises LedgerError when the file cannot be read or written: a figure that is not recorded is not printed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Entry) -> int:
        """
        Write one row and return its number. Other processes may add rows between two of ours.

        Raises LedgerError, before anything is written, where the ledger's end differs from its anchors.
        """
        return self._append(entry, forgiven=False)

    def begin(self, entry: Entry, what: str) -> None:
        """Record that EVALUATION or LOOK begins for a source. A trial's row ends it."""
        self.append(replace(entry, kind="trial", error_kind=UNFINISHED, result=json.dumps({"begun": what})))

    def confirm(self) -> None:
        """
        Raises LedgerError where rows are missing or changed, or the ledger's end differs from its anchors, and no
        person has accepted that; else writes the anchors again.
        """
        path = self._file()
        if wrong := self.wrong():
            raise LedgerError(f"{wrong[0]}. {LOST.format(name=self.path.name)}.")
        if path.exists():
            self._anchor(None)

    def accept_loss(self) -> int:
        """
        Accept the ledger as it is, and record how many trials are lost. Returns that number; 0 where nothing is wrong.
        """
        anchors = anchor.known(self._file())
        if not self.wrong():
            return 0
        with self._connection() as db:
            (last, _), n_counted, lost = _last(db), _count(db), _missing(db, anchors)
        losses = [end.trials if end in lost and end.number <= last else end.trials - n_counted for end in anchors]
        trials = max([*losses, 0])
        result = {"lost": [asdict(end) for end in lost], "trials": trials}
        self._append(
            Entry(kind="contract", contract=self.last_contract() or "", result=json.dumps(result)), forgiven=True
        )
        return trials

    def wrong(self) -> list[str]:
        """One sentence for each thing that is wrong with the ledger and was not accepted."""
        anchors = anchor.known(self._file())
        if not self._file().exists():
            return [_ends(self.path, end, 0) for end in anchors]
        with self._connection() as db:
            accepted = max((number for number, _, _ in _losses(db)), default=0)
            breaks = [
                f"the ledger {self.path} is not as it was written: {sentence}"
                for number, sentence in _breaks(db)
                if number > accepted
            ]
            return [*(_ends(self.path, end, _last(db)[0]) for end in _missing(db, anchors)), *breaks]

    def _append(self, entry: Entry, *, forgiven: bool) -> int:
        # read anchors before the ledger: later ones may be newer than the rows that we read
        anchors = anchor.known(self._file())
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            database.refuse_others(self.path, db)
            number, before = _last(db)
            if not forgiven and (lost := _missing(db, anchors)):
                raise LedgerError(f"{_ends(self.path, lost[0], number)}. {LOST.format(name=self.path.name)}.")
            values = {
                "number": number + 1,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                **{name: getattr(entry, name) for name in Entry.__slots__},
                "before": before,
            }
            row = [_text(values[name]) for name in COLUMNS]
            row.append(_hash(row))
            db.execute(f"INSERT INTO entries ({', '.join(COLUMNS)}, hash) VALUES ({', '.join('?' * len(row))})", row)
            db.execute("COMMIT")
        self._anchor(row)
        return number + 1

    def _anchor(self, row: list | None) -> None:
        """Read a written row back and record the ledger's end in the anchors. No other process writes meanwhile."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            if row is not None:
                stored = db.execute(
                    f"SELECT {', '.join(COLUMNS)}, hash FROM entries NOT INDEXED WHERE number = ?", row[:1]
                ).fetchone()
                if stored is None or list(stored) != row:
                    state = "is gone" if stored is None else "is another one"
                    raise LedgerError(
                        f"entry {row[0]} of the ledger {self.path} {state} after it was written: something changes "
                        f"what is recorded there."
                    )
            last = db.execute(
                "SELECT number, hash, time FROM entries NOT INDEXED ORDER BY number DESC LIMIT 1"
            ).fetchone()
            if last is not None:
                anchor.write(Anchor(str(self._file()), last[0], last[1], last[2], trials=_count(db)))
            db.execute("ROLLBACK")

    def answer(self, contract: str, sha256: str) -> str | None:
        """
        JSON of the newest Result for this source under this contract, or None. Results of limits are ignored, as they
        depend on the machine.
        """
        with self._connection() as db:
            row = db.execute(
                f"SELECT result FROM entries NOT INDEXED WHERE {RUNS} AND contract = ? AND sha256 = ? AND error_kind "
                f"!= ? "
                "ORDER BY number DESC LIMIT 1",
                (contract, sha256, LIMIT),
            ).fetchone()
        return row[0] if row else None

    def n_trials(self, contract: str) -> int:
        """Distinct sources that were tried under this contract: evaluated, failed, or begun and not ended."""
        with self._connection() as db:
            return db.execute(
                f"SELECT COUNT(DISTINCT sha256) FROM entries NOT INDEXED WHERE {TRIES} AND contract = ?", (contract,)
            ).fetchone()[0]

    def trials(self, contract: str) -> list[Trial]:
        """Every evaluation under this contract that ended, and every refusal, oldest first."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT commit_id, strategy, sha256, source, error_kind, result, time, verdict, returns FROM entries "
                "NOT INDEXED "
                f"WHERE {RUNS} AND contract = ? ORDER BY number",
                (contract,),
            ).fetchall()
        return [Trial(*row[:-1], returns=np.frombuffer(row[-1], dtype="<f8")) for row in rows]  # type: ignore[misc]

    def tries(self) -> list[Row]:
        """Everything that was tried under any contract, begun or ended, oldest first."""
        return self._rows(TRIES)

    def contracts(self) -> list[Row]:
        """Every entry of the kind `contract`, oldest first."""
        return self._rows("kind = 'contract'")

    def _rows(self, condition: str) -> list[Row]:
        with self._connection() as db:
            columns = "contract, sha256, error_kind, result, returns"
            return [
                Row(*row)
                for row in db.execute(f"SELECT {columns} FROM entries NOT INDEXED WHERE {condition} ORDER BY number")
            ]

    def noted(self, kind: str) -> list[Noted]:
        """Every entry of one kind, whatever its contract, oldest first."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT number, time, contract, strategy, sha256, result, verdict FROM entries NOT INDEXED WHERE kind "
                "= ? ORDER BY number",
                (kind,),
            ).fetchall()
        return [Noted(*row) for row in rows]

    def head(self) -> str:
        """Hash of the newest entry. Anyone who noted it can later tell whether newer or older rows are missing."""
        with self._connection() as db:
            return _last(db)[1]

    def last_contract(self) -> str | None:
        """The contract of the newest entry."""
        with self._connection() as db:
            row = db.execute("SELECT contract FROM entries NOT INDEXED ORDER BY number DESC LIMIT 1").fetchone()
        return row[0] if row else None

    def check(self) -> list[str]:
        """One sentence for each break of the chain and each missing end; empty when every row is as it was written."""
        anchors = anchor.known(self._file())
        with self._connection() as db:
            return [
                *(sentence for _, sentence in _breaks(db)),
                *(_ends(self.path, end, _last(db)[0]) for end in _missing(db, anchors)),
            ]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self._file(), timeout=TIMEOUT_S, isolation_level=None)
            try:
                _use_wal(db)
                db.execute("PRAGMA synchronous = FULL")
                database.declare(db)
                database.refuse_others(self.path, db)
                yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise LedgerError(_explain(self.path, error)) from None

    def _file(self) -> Path:
        return database.own_file(self.path)


def _last(db: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the newest entry."""
    return db.execute("SELECT number, hash FROM entries NOT INDEXED ORDER BY number DESC LIMIT 1").fetchone() or (
        0,
        GENESIS,
    )


def _count(db: sqlite3.Connection) -> int:
    """Number of distinct sources that were tried under any contract, plus those that were lost with earlier entries."""
    (tried,) = db.execute(f"SELECT COUNT(DISTINCT sha256) FROM entries NOT INDEXED WHERE {TRIES}").fetchone()
    return tried + sum(count for _, _, count in _losses(db))


def _losses(db: sqlite3.Connection) -> list[tuple[int, set[str], int]]:
    """
    For each loss that a person has accepted: the number of its entry, the hashes of the lost ends, and the number of
    trials.
    """
    rows = db.execute("SELECT number, result FROM entries NOT INDEXED WHERE kind = 'contract'").fetchall()
    entries = [(number, json.loads(result)) for number, result in rows if '"lost"' in result]
    return [(number, {end["hash"] for end in loss["lost"]}, loss["trials"]) for number, loss in entries]


def _breaks(db: sqlite3.Connection) -> list[tuple[int, str]]:
    """Breaks of the chain: entry number and a sentence each."""
    problems, before, expected = [], GENESIS, 1
    for *row, written in db.execute(f"SELECT {', '.join(COLUMNS)}, hash FROM entries NOT INDEXED ORDER BY number"):
        number = row[0]
        if number != expected:
            problems.append((number, f"entry {expected} is missing: entry {number} follows {expected - 1}"))
        if row[-1] != before:
            problems.append((number, f"entry {number} does not continue the entry before it"))
        if _hash(row) != written:
            problems.append((number, f"entry {number} was changed after it was written"))
        before, expected = written, number + 1
    return problems


def _missing(db: sqlite3.Connection, anchors: list[Anchor]) -> list[Anchor]:
    """Anchors whose entry the ledger does not hold and nobody has accepted as lost."""
    accepted = set().union(*(ends for _, ends, _ in _losses(db)))
    query = "SELECT 1 FROM entries NOT INDEXED WHERE number = ? AND hash = ?"
    return [
        end for end in anchors if end.hash not in accepted and not db.execute(query, (end.number, end.hash)).fetchone()
    ]


def _ends(path: Path, lost: Anchor, last: int) -> str:
    when = f"entry {lost.number} was written on {lost.time[:16].replace('T', ' ')}"
    if not last:
        return f"there is no ledger at {path}, or it is empty; its {when}"
    if last < lost.number:
        return f"the ledger ends at entry {last}, {when}"
    return f"the ledger {path} is another one: {when}, and it does not hold that one"


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. We retry, because this statement alone does not wait for another process."""
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
    """
    The newest evaluation by source, in the order of first appearance; one that ended at a limit only where there is no
    other.
    """
    newest: dict[str, Trial] = {}
    for trial in trials:
        if trial.sha256 not in newest or trial.error_kind != LIMIT:
            newest[trial.sha256] = trial
    return newest


def returns_bytes(returns: tuple[float, ...]) -> bytes:
    return np.asarray(returns, dtype="<f8").tobytes()


def _text(value: object) -> object:
    """Replace lone surrogates, as in a file name that is not UTF-8, by question marks: SQLite refuses them."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _hash(row: list) -> str:
    digest = hashlib.sha256()
    for value in row:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest.update(len(data).to_bytes(8, "little") + data)  # lengths separate neighbouring values
    return digest.hexdigest()


def _explain(path: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if "readonly" in text or "unable to open" in text:
        return f"the ledger {path} cannot be written ({text}). Trials must be recorded: make its folder writable."
    if "full" in text:
        return (
            f"the disk is full, so the ledger {path} could not record a trial. Free some space and run again; "
            f"nothing is half-written."
        )
    if "locked" in text:
        return (
            f"the ledger {path} stayed locked for {TIMEOUT_S} s by another process. Wait for it to end, then run again."
        )
    return (
        f"the ledger {path} cannot be used: {text}. Move it away to begin a new one, and keep it: it holds the "
        f"count of trials."
    )
