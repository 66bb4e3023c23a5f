"""
What a run records: a file per round in user_data/runs/<run>/, and the run's own facts in run.json.

Every step of a round rewrites the round's file as a whole. So the file is a log and tells the next start how far the
round came: from the first step on it holds all that later steps need.
"""

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from arena.errors import ArenaError
from arena.files import write_whole
from loop.protocol import Proposal, Tried, Usage

RUNS = Path("user_data", "runs")
STEPS = ("planned", "committed", "evaluated", "written", "settled")
"""How far a round came: plan durable; committed; evaluated; in results.tsv; kept or taken back, with its learnings."""
ENDS = ("settled", "skipped")


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that hold for a whole run."""

    run: str
    agent: str
    seed: int
    contract: str
    start: str  # commit at which its branch begins
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Round:
    """A round as far as it has come."""

    run: str
    number: int  # from 1, skipped ones included
    step: str  # one of STEPS, or skipped
    agent: str
    seed: int
    started: str  # ISO 8601, UTC
    head: str  # the commit that it builds on
    contract: str
    versions: dict[str, str]
    state: dict[str, Any]  # what the agent was shown, in short
    proposal: Proposal
    usage: Usage = Usage()  # of all answers, refused ones included
    refused: tuple[tuple[str, ...], ...] = ()  # problems of each answer that was refused
    # where the proposal that is played still departs from the brief after all answers
    departures: tuple[str, ...] = ()
    reads: bool = False  # whether the agent can rewrite learnings.md
    files: dict[str, str | None] = field(default_factory=dict)  # strategy -> source to write; None: remove its file
    message: str = ""
    commit: str = ""
    tried: tuple[Tried, ...] = ()  # without daily returns, which the ledger has
    rows: tuple[str, ...] = ()
    blocks: str = ""
    kept: bool = False
    gain: bool = False
    why: str = ""  # reason of the decision, or of a skip
    final: bool = False  # skipped, and no later round would do better
    # what the next round puts back: strategy -> source; None: no file
    restore: dict[str, str | None] = field(default_factory=dict)
    learnings: str | None = None  # learnings.md after the round
    luck_line: float = float("nan")  # annualised Sharpe
    trials: int = 0  # under the contract
    seconds: float = 0.0

    @property
    def after(self) -> str:
        """The branch's commit when the round is over."""
        return self.commit if self.kept else self.head


_ROUND, _FACTS = TypeAdapter(Round), TypeAdapter(Facts)


class Log:
    """The folder of one run."""

    def __init__(self, root: Path, run: str) -> None:
        self.folder = root / RUNS / run

    def facts(self) -> Facts | None:
        file = self.folder / "run.json"
        return _read(file, _FACTS) if file.exists() else None

    def begin(self, facts: Facts) -> None:
        write_whole(self.folder / "run.json", json.dumps(asdict(facts), indent=1).encode())

    def keep(self, one: Round) -> None:
        """Writes the round durably."""
        write_whole(
            self.folder / f"{one.number:04d}.json",
            json.dumps(asdict(one), indent=1, default=str, ensure_ascii=False).encode("utf-8", "replace"),
        )

    def rounds(self) -> list[Round]:
        """Returns the rounds, oldest first. Raises ArenaError for a file that is not a round."""
        return [_read(file, _ROUND) for file in sorted(self.folder.glob("[0-9]*.json"))]

    def save(self, file: Path) -> None:
        """Copies a file that lies outside git, in case the worktree is lost."""
        if file.is_file():
            write_whole(self.folder / file.name, file.read_bytes())

    def restore(self, file: Path) -> None:
        """Restores a file from its copy if the file is gone."""
        if not file.exists() and (self.folder / file.name).is_file():
            shutil.copy(self.folder / file.name, file)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Allows one start of a run at a time. Raises ArenaError while another one is under way."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArenaError(
                    f"the run {self.folder.name} is under way in another process. Wait for it to end, or choose "
                    f"another --tag."
                ) from None
            yield


def runs(root: Path) -> list[str]:
    """Returns the names of all runs."""
    return sorted(file.parent.name for file in (root / RUNS).glob("*/run.json"))


def _read(file: Path, kind: TypeAdapter) -> Any:
    try:
        return kind.validate_json(file.read_bytes())
    except OSError as error:
        raise ArenaError(f"{file} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ArenaError(
            f"{file} is no record of a run: {where}: {first['msg']}. Move the run's folder away, or choose another "
            f"--tag."
        ) from None
