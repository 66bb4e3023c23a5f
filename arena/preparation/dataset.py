"""
Builds the arena's data from a source: candles in the clear up to the end of the search range, everything later sealed.

We build in a folder beside user_data/data, exchange the two at the end and write the lock last. An interrupted
preparation leaves the old arena unchanged. A staging folder keeps the pairs that an exchange has delivered, so that the
next start continues with the next pair; there too, nothing after the search range is ever in the clear.
"""

import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from arena.errors import DataError, LockError, SealError
from arena.files import write_whole
from arena.ledger import data_lock, trial_history
from arena.ledger.data_lock import Lock
from arena.ledger.store import LEDGER, Entry, Ledger
from arena.market import candles, pair_metadata, sealing
from arena.market.candle_tables import Tables, candle_file, table
from arena.preparation.sources import Source
from arena.records import Window
from arena.settings import Settings

STAGING = "user_data/.staging"
LATEST_END = timedelta(days=5)
"""How long before a range's end the last candle may lie: a market that is closed over a long weekend is complete."""

Say = Callable[[str], None]


def prepare(settings: Settings, source: Source, passphrase: str | None, say: Say, *, resume: bool = False) -> Lock:
    """Build the arena's data and record in the ledger the contract that holds from here on."""
    ledger = Ledger(settings.root / LEDGER)
    ledger.confirm()
    ledger.last_contract()  # reports an unusable ledger before any work is done
    _describe_earlier(settings.root, ledger)
    lock = build(settings, source, passphrase, say, resume=resume)
    note_contract(settings, lock, [f"data prepared from {source.label}"])
    return lock


def prepare_sample(settings: Settings, say: Say) -> None:
    """Prepare a sample market where none is prepared yet; prepare.py replaces it without asking."""
    with data_lock.exclusive(settings.root):
        prepare(
            settings, source_from({"kind": "sample", "market": "market", "seed": 0, "demo": True}, settings), None, say
        )


def relock(settings: Settings, locked: Lock, changes: list[str]) -> Lock:
    """Lock the same data under the present contract; the ledger records what changed."""
    ledger = Ledger(settings.root / LEDGER)
    ledger.confirm()
    _describe_earlier(settings.root, ledger)
    renewed = data_lock.renew(locked, settings)
    data_lock.write(settings.root, renewed)
    note_contract(settings, renewed, changes)
    return renewed


def note_contract(settings: Settings, locked: Lock, changes: list[str]) -> None:
    """
    Record in the ledger that another contract holds from here on, and describe its candles. Does nothing when the
    newest entry has this contract and its candles are described.
    """
    ledger = Ledger(settings.root / LEDGER)
    before, described = ledger.last_contract(), trial_history.described(ledger)
    if before != locked.contract or locked.contract not in described:
        result: dict[str, Any] = {"before": before, "changes": changes}
        if locked.contract not in described:
            result["candles"] = _description(settings.root, locked)
        ledger.append(Entry(kind="contract", contract=locked.contract, result=json.dumps(result)))


def _describe_earlier(root: Path, ledger: Ledger) -> None:
    """
    Describe the candles of the present contract while they still exist, if it has trials and the ledger does not
    describe them yet.
    """
    with contextlib.suppress(LockError, DataError):
        locked = data_lock.read(root)
        if (
            locked is not None
            and ledger.n_trials(locked.contract)
            and locked.contract not in trial_history.described(ledger)
        ):
            result: dict[str, Any] = {"before": ledger.last_contract(), "changes": []}
            result["candles"] = _description(root, locked)
            ledger.append(Entry(kind="contract", contract=locked.contract, result=json.dumps(result)))


def _description(root: Path, locked: Lock) -> dict[str, Any]:
    return trial_history.description(
        trial_history.candles_of(
            locked.arena, _tables(root, locked), locked.content.get(f"{data_lock.DATA}/validation.sealed", "")
        )
    )


def _tables(root: Path, locked: Lock) -> Tables:
    """The unsealed candles of a lock's own pairs, as they were locked. Raises DataError."""
    tables = {}
    for pair in locked.arena["pairs"]:
        file = candle_file(root / data_lock.DATA, pair, locked.arena["timeframe"])
        try:
            data = file.read_bytes()
            tables[pair] = table(pd.read_feather(io.BytesIO(data)))
        except (OSError, ValueError) as error:
            raise DataError(f"{file} cannot be read: {error}. Run `uv run prepare.py`.") from None
        if hashlib.sha256(data).hexdigest() != locked.data.get(f"{data_lock.DATA}/{file.name}"):
            raise DataError(f"{file} has changed since the lock. Run `uv run prepare.py`.")
    return tables


def check_ledger(settings: Settings) -> None:
    """Raises LedgerError where the ledger differs from what was written and no person has accepted that."""
    Ledger(settings.root / LEDGER).confirm()


def accept_loss(settings: Settings) -> int:
    """Continue with a ledger that has lost entries. Returns how many trials they held, as far as known."""
    return Ledger(settings.root / LEDGER).accept_loss()


class Staging:
    """
    What has been delivered so far, one sealed file per pair. Their key has its own key file, which is deleted with the
    folder.
    """

    def __init__(self, root: Path, wanted: dict[str, Any], *, keep: bool) -> None:
        self.folder, self.keep = root / STAGING, keep
        if not keep or self._request() != wanted:
            self.clear()
        if keep:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / "request.json", json.dumps(wanted).encode())

    def get(self, pair: str) -> dict[str, pd.DataFrame] | None:
        """Candles by range, or None."""
        file = self._file(pair)
        try:
            return sealing.unseal(file) if self.keep and file.exists() else None
        except SealError:
            return None  # damaged or without its key: requested again

    def put(self, pair: str, frames: dict[str, pd.DataFrame]) -> None:
        if self.keep and all(map(len, frames.values())):  # a pair without candles in a range is requested again
            key, header = self._key()
            write_whole(self._file(pair), sealing.seal(self._file(pair), frames, key, header))

    def clear(self) -> None:
        if (header := self._header()) is not None:
            sealing.forget_key(header)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, pair: str) -> Path:
        return self.folder / f"{pair.replace('/', '_')}.sealed"

    def _request(self) -> Any:
        return _json(self.folder / "request.json")

    def _header(self) -> Any:
        return _json(self.folder / "key.json")

    def _key(self) -> tuple[bytes, dict[str, str]]:
        header = self._header()
        if header is not None:
            with contextlib.suppress(SealError):  # a missing key is replaced; what it sealed is requested again
                return sealing.stored_key(header), header
        key, header = sealing.new_key("staging")
        write_whole(self.folder / "key.json", json.dumps(header).encode())
        return key, header


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Keys:
    """A key and its header for each sealed range, by the range's name."""

    by_range: dict[str, tuple[bytes, dict[str, str]]]

    @classmethod
    def make(cls, settings: Settings, passphrase: str | None) -> "Keys":
        keys = {}
        for window in sealed_ranges(settings):
            keys[window.name] = (
                sealing.passphrase_key(window.name, passphrase)
                if window.name == "holdout" and passphrase is not None
                else sealing.new_key(window.name)
            )
        return cls(keys)


def sealed_ranges(settings: Settings) -> tuple[Window, ...]:
    return tuple(window for window in (settings.validation, settings.holdout) if window)


def request(settings: Settings, source: Source) -> dict[str, Any]:
    """Everything that determines the candles. Two preparations with the same request give the same data."""
    days = {
        window.name: f"{window.start:%Y%m%d}-{window.end:%Y%m%d}"
        for window in (settings.search, *sealed_ranges(settings))
    }
    return {
        "pairs": list(settings.pairs),
        "timeframe": settings.timeframe,
        "informative_timeframes": list(settings.informative_timeframes),
        "warmup_from": f"{settings.warmup_from:%Y%m%d}",
        "ranges": days,
        "source": source.label,
    }


def build(settings: Settings, source: Source, passphrase: str | None, say: Say, *, resume: bool) -> Lock:
    """
    Get, check and store every pair, seal what lies after the search range, and lock. Returns the new lock, already
    written.

    `resume` keeps what a source delivers, pair by pair, until all is done; it is False for sources that answer at once.
    """
    staging = Staging(settings.root, request(settings, source), keep=resume)
    metadata = source.markets(settings.pairs)
    sealed = [window.name for window in sealed_ranges(settings)]
    parts: dict[str, dict[str, pd.DataFrame]] = {name: {} for name in ("search", *sealed)}
    facts: dict[str, Any] = {"pairs": {}, "notes": [], "passphrase": passphrase is not None}
    for pair in settings.pairs:
        frames = staging.get(pair)
        if frames is None:
            frames = _split(settings, source, pair)
            staging.put(pair, frames)
        for name, by_pair in parts.items():
            by_pair[pair] = frames[name]
        facts["pairs"][pair] = _describe(settings, pair, frames["search"], say)
    _check_coverage(settings, parts)
    facts["notes"] += list(getattr(source, "notes", ()))
    derived = {
        pair: pair_metadata.derive(frame, pair) for pair, frame in parts["search"].items() if pair not in metadata
    }
    if derived:
        facts["notes"].append(f"market metadata derived from prices: {', '.join(derived)}")
    metadata |= derived
    pair_metadata.check(metadata, settings.pairs)
    for note in facts["notes"]:
        say(f"note: {note}")
    folder = _write(settings, parts, metadata, Keys.make(settings, passphrase), say)
    lock = data_lock.make(
        settings,
        folder,
        content={f"{data_lock.DATA}/{name}.sealed": sealing.content_hash(parts[name]) for name in sealed},
        source={"label": source.label, **source.description},
        arena=request(settings, source),
        facts=facts,
    )
    _exchange(settings.root / data_lock.DATA, folder)
    data_lock.write(settings.root, lock)
    staging.clear()
    return lock


def _split(settings: Settings, source: Source, pair: str) -> dict[str, pd.DataFrame]:
    """
    One pair's candles by range. Adjacent ranges share the candle at their border, which values the end of the first.
    """
    ranges = [Window("search", settings.warmup_from, settings.search.end), *sealed_ranges(settings)]
    first, last = ranges[0].start, ranges[-1].end
    frame = source.candles(pair, settings.timeframe, first, last)
    if frame.empty:
        raise DataError(
            f"{pair} has no {settings.timeframe} candle from {source.label} between {first:%Y-%m-%d} and "
            f"{last:%Y-%m-%d}. "
            "Leave the pair out, or choose other dates in config.json."
        )
    frame = candles.check(frame, pair, settings.timeframe, source.label)
    return {
        window.name: frame[(frame["date"] >= window.start) & (frame["date"] <= window.end)].reset_index(drop=True)
        for window in ranges
    }


def _describe(settings: Settings, pair: str, frame: pd.DataFrame, say: Say) -> dict[str, Any]:
    """Facts about the unsealed part; nothing about the sealed parts."""
    if frame.empty:
        raise DataError(
            f"{pair} has no candle before {settings.search.end:%Y-%m-%d}. Leave it out of exchange.pair_whitelist."
        )
    missing = candles.gaps(frame, settings.timeframe)
    first, last = frame["date"].iloc[0], frame["date"].iloc[-1]
    n_missing = sum(count for _, _, count in missing)
    say(
        f"{pair}: {len(frame)} candles {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, {n_missing} missing in "
        f"{len(missing)} gaps"
    )
    return {
        "first": first.isoformat(),
        "last": last.isoformat(),
        "candles": len(frame),
        "gaps": [[start.isoformat(), end.isoformat(), count] for start, end, count in missing],
    }


def _check_coverage(settings: Settings, parts: dict[str, dict[str, pd.DataFrame]]) -> None:
    for window in (*settings.windows, *sealed_ranges(settings)):
        frames = parts[window.name if window.name in parts else "search"]
        for pair, frame in frames.items():
            if not ((frame["date"] >= window.start) & (frame["date"] < window.end)).any():
                raise DataError(
                    f"{pair} has no candle in {window.name} ({window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}). "
                    "Leave the pair out, or choose other dates in config.json."
                )
        last = max(frame["date"].iloc[-1] for frame in frames.values())
        end = min(window.end, settings.search.end) if frames is parts["search"] else window.end
        if last < end - timedelta(milliseconds=settings.step_ms) - LATEST_END:
            raise DataError(
                f"candles end {last:%Y-%m-%d %H:%M}, but {window.name} ends {window.end:%Y-%m-%d}. Choose an earlier "
                f"end in config.json"
                + (f', or "{window.name}": null.' if window.name in ("validation", "holdout") else ".")
            )


def _write(settings: Settings, parts: dict[str, Any], metadata: dict[str, Any], keys: Keys, say: Say) -> Path:
    """Write the data folder under a temporary name, and return its path."""
    folder = settings.root / f"{data_lock.DATA}.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for pair, frame in parts["search"].items():
        for timeframe in (settings.timeframe, *settings.informative_timeframes):
            longer = frame if timeframe == settings.timeframe else candles.resample(frame, timeframe)
            longer.reset_index(drop=True).to_feather(candle_file(folder, pair, timeframe), compression="lz4")
    (folder / "markets.json").write_text(json.dumps(metadata, indent=1, sort_keys=True))
    for name, (key, header) in keys.by_range.items():
        file = folder / f"{name}.sealed"
        file.write_bytes(sealing.seal(file, parts[name], key, header))
        where = "a passphrase" if header["kind"] == "passphrase" else f"a key in {sealing.keys_dir()}"
        say(f"{name}: sealed with {where}")
    return folder


def _exchange(current: Path, new: Path) -> None:
    old = current.with_suffix(".old")
    shutil.rmtree(old, ignore_errors=True)
    if current.exists():
        current.rename(old)
    new.rename(current)
    shutil.rmtree(old, ignore_errors=True)


def source_from(description: dict[str, Any], settings: Settings) -> Source:
    """The source named by a description from the command line or the lock. Raises DataError for a wrong description."""
    match description["kind"]:
        case "files":
            from arena.preparation.sources.files import FileSource

            markets_file = description.get("markets")
            return FileSource(Path(description["path"]), Path(markets_file) if markets_file else None)
        case "sample":
            from arena.preparation.sources.synthetic import SampleSource

            source = SampleSource(description["market"], description["seed"])
            source.description |= {key: description[key] for key in ("demo",) if key in description}
            return source
        case _:
            from arena.preparation.sources.exchange import ExchangeSource  # loads FreqTrade

            return ExchangeSource(settings)


def last_day(settings: Settings) -> str:
    return f"{(settings.holdout or settings.validation or settings.search).end:%Y-%m-%d}"
