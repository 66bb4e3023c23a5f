"""
Records outside of the ledger where it ends, to detect a ledger that is deleted, cut short or replaced by an older copy.

Two places, each sufficient by itself: a file in the user's configuration directory, beside the keys, named after the
ledger's path; and one in the checkout's git folder, which moves with the checkout. A place that cannot be written is
skipped. A clone has neither, because git does not clone such a file. A copy of the folder contains the second file; it
counts for the original folder as long as that exists.

Not covered: anyone who may write the ledger and both places. The head in a run.log reveals that.
"""

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from arena.files import write_whole
from arena.market import sealing

GIT_FILE = "touchstone-ledger.json"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest entry of a ledger when the anchor was written."""

    ledger: str  # the file's path, links resolved
    number: int
    hash: str
    time: str  # ISO 8601, UTC
    trials: int  # distinct sources in the ledger at that time, under all contracts


def known(ledger: Path) -> list[Anchor]:
    """Anchors of the ledger at this path, also those from before its checkout was moved. Newest first."""
    own, beside = _read(_own(ledger)), _read(_beside(ledger))
    moved = beside is not None and not Path(beside.ledger).parent.parent.exists()
    anchors = [own, beside if moved or (beside and beside.ledger == str(ledger)) else None]
    return sorted((anchor for anchor in anchors if anchor), key=lambda anchor: -anchor.number)


def write(anchor: Anchor) -> None:
    """Write to both places, each whole or not at all; a place that cannot be written stays unchanged."""
    ledger = Path(anchor.ledger)
    for file in (_own(ledger), _beside(ledger)):
        if file is not None:
            with contextlib.suppress(OSError):
                if file == _own(ledger):
                    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_whole(file, json.dumps(asdict(anchor)).encode())


def forget(ledger: Path) -> None:
    """Delete the anchors of a temporary ledger."""
    for file in (_own(ledger), _beside(ledger)):
        if file is not None:
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)


def _own(ledger: Path) -> Path:
    return (
        sealing.keys_dir().parent
        / "ledgers"
        / f"{hashlib.sha256(str(ledger).encode(errors='replace')).hexdigest()[:32]}.json"
    )


def _beside(ledger: Path) -> Path | None:
    """The file in the git folder of the checkout or worktree whose user_data holds the ledger; None outside git."""
    git = ledger.parent.parent / ".git"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if git.is_file():
            git = git.parent / git.read_text().removeprefix("gitdir:").strip()
        return git / GIT_FILE if git.is_dir() else None
    return None


def _read(file: Path | None) -> Anchor | None:
    """The anchor in a file; None without a file or for a damaged one."""
    try:
        fields = json.loads(file.read_bytes()) if file is not None else None
        anchor = Anchor(**fields) if isinstance(fields, dict) else None
    except (OSError, ValueError, TypeError):
        return None
    fits = anchor is not None and all(
        isinstance(getattr(anchor, name), kind) for name, kind in Anchor.__annotations__.items()
    )
    return anchor if fits else None
