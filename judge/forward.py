"""
How archived strategies do on candles that did not exist when they were written: the record that grows with time.

New candles go to user_data/forward/candles.sealed, encrypted like validation and holdout, because an agent that could
open them would study them. Each call evaluates every archived strategy from its frozen source over one continuous run
from the arena's end to the newest whole day, in a wallet of its own, and appends a row for each to versions/forward.tsv
and the ledger.

Positions that were open at the arena's end are not carried on. Candles before it serve as warm-up, whatever range they
lie in; nothing of them is told. What is decided in the new candles is checked as before a holdout's figure: what knows
them has none.
"""

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.errors import ArenaError, DataError, SampleError, StrategyError
from arena.evaluation import context, figures
from arena.evaluation.context import Arena
from arena.files import write_whole
from arena.ledger import strategy_files
from arena.ledger.store import Entry, Ledger
from arena.market import candles, sealing
from arena.market.candle_tables import Tables, table
from arena.preparation import dataset
from arena.records import Strategy, Window
from arena.stats import metrics, significance
from judge import archive_reader

FOLDER, FILE = "user_data/forward", "candles.sealed"
RECORD = f"{archive_reader.FOLDER}/forward.tsv"
LEVEL = 0.95
"""Coverage of the band."""
DRAWS = 1000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Frozen:
    """An archived strategy, and its daily returns over the search range."""

    version: str
    strategy: Strategy
    returns: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """
    One strategy over the forward range; the fields are the columns of forward.tsv. Ratios are fractions, nan is
    undefined.
    """

    scored: str  # day, UTC
    version: str
    strategy: str
    first: str  # day of the range
    last: str  # its end
    days: int
    sharpe: float  # annualised
    profit: float
    max_drawdown: float
    hold_sharpe: float
    hold_profit: float
    band_low: float  # of the Sharpe that as many days of the search range would show
    band_high: float
    word: str  # inside, BELOW or ABOVE the band; "too short"; or FAIL and why


def frozen(arena: Arena, say: Say) -> list[Frozen]:
    """
    Strategies of all versions of this very arena. Raises ArenaError when there is none, or a version is not as it was
    archived.
    """
    found, root = [], arena.settings.root
    for version in archive_reader.versions(root):
        folder = root / archive_reader.FOLDER / version
        there = archive_reader.contents(folder)
        if problems := archive_reader.broken(folder, there):
            raise ArenaError(f"{archive_reader.FOLDER}/{version}: {problems[0]}. Restore it from git.")
        meta = archive_reader.read(root, version, there)
        if meta["contract"]["arena"] != arena.lock.arena:
            say(f"{version}: of another arena, not scored")
            continue
        returns = pd.read_parquet(
            io.BytesIO(there[archive_reader.TRIALS] or b""), columns=["sha256", "daily_returns"]
        ).set_index("sha256")["daily_returns"]
        for one in meta["strategies"]:
            file = f"strategies/{one['strategy']}.py"
            if one["error"]:
                say(f"{version} {one['strategy']}: failed then, not scored")
                continue
            rows = returns.loc[[one["sha256"]]]
            found.append(
                Frozen(
                    version,
                    strategy_files.examine(folder / file, arena.settings, there.get(file) or b""),
                    np.array(rows.iloc[-1], dtype=np.float64),
                )
            )
    if not found:
        raise ArenaError(
            f"there is no archived strategy of this arena in {archive_reader.FOLDER}/. `uv run judge.py open VERSION` "
            f"archives a run."
        )
    return found


def begin(arena: Arena) -> datetime:
    """Where the forward range begins: at the arena's end."""
    settings = arena.settings
    return (settings.holdout or settings.validation or settings.search).end


def refresh(arena: Arena, path: Path | None, markets: Path | None, say: Say) -> Tables:
    """
    The stored candles, with what the source has more; stored anew where there is more. By pair, from the arena's end
    on.

    Raises DataError for candles that do not follow those before, and leaves the store as it was.
    """
    settings = arena.settings
    described = {"kind": "files", "path": str(path), "markets": markets and str(markets)} if path else arena.lock.source
    source = dataset.source_from(described, settings)
    file = settings.root / FOLDER / FILE
    known = sealing.unseal(file) if file.exists() else {}
    joined, added = {}, 0
    for pair in settings.pairs:
        before = known.get(pair)
        since = (
            begin(arena)
            if before is None or before.empty
            else before["date"].iloc[-1].to_pydatetime() + timedelta(milliseconds=settings.step_ms)
        )
        more = source.candles(pair, settings.timeframe, since, datetime.now(UTC))
        if len(more):
            more = candles.check(more, pair, settings.timeframe, source.label)
            if more["date"].iloc[0] > since + dataset.LATEST_END:
                raise DataError(
                    f"{pair}: the candles go on at {more['date'].iloc[0]:%Y-%m-%d %H:%M}, those known end before "
                    f"{since:%Y-%m-%d %H:%M}. "
                    "Give a source that has the days between."
                )
        joined[pair] = more if before is None else pd.concat([before, more], ignore_index=True)
        added += len(more)
    if added:
        _store(file, joined, sealing.header(file) if known else None)
    last = {pair: frame["date"].iloc[-1] for pair, frame in joined.items() if len(frame)}
    if not last:
        raise DataError(
            f"{source.label} has no candle from {begin(arena):%Y-%m-%d %H:%M} on, where the arena ends. There is "
            f"nothing to score yet."
        )
    say(f"forward candles: {added} new, up to {min(last.values()):%Y-%m-%d %H:%M}")
    return {pair: table(frame) for pair, frame in joined.items()}


def _store(file: Path, frames: dict[str, pd.DataFrame], old: dict[str, str] | None) -> None:
    """Under a fresh key; the old one goes when the new file is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    key, header = sealing.new_key("forward")
    write_whole(file, sealing.seal(file, frames, key, header))
    if old is not None:
        sealing.forget_key(old)


def score(
    arena: Arena, ledger: Ledger, frozen: Sequence[Frozen], newer: Tables, passphrase: str | None, say: Say
) -> list[Score]:
    """Every archived strategy over the whole days of the forward range; rows that are not there yet are appended."""
    settings, start = arena.settings, begin(arena)
    ends = min(float(rows[-1, 0]) for rows in newer.values() if len(rows)) + settings.step_ms
    days = int((ends - start.timestamp() * 1000) // metrics.DAY_MS)
    if days < 1:
        raise DataError(f"the candles after {start:%Y-%m-%d} do not fill a day yet. Come back later.")
    window = Window("forward", start, start + timedelta(days=days))
    whole = context.over(arena, (window,), (*context.sealed_candles(arena, passphrase), newer))
    written = _written(settings.root)
    scores = []
    for one in frozen:
        made = _scored(one, whole, window, days)
        scores.append(made)
        if (made.version, made.strategy, made.last) not in written:
            _append(settings.root, made)
            strategy = one.strategy
            told = json.dumps(asdict(made))
            ledger.append(
                Entry(
                    "forward",
                    arena.lock.contract,
                    strategy.name,
                    strategy.sha256,
                    strategy.source,
                    result=told,
                    verdict=made.word,
                )
            )
        if made.word not in ("inside", "too short"):
            say(f"warning: {made.version} {made.strategy} is {made.word} what its search range leads to expect")
    return scores


def _scored(one: Frozen, whole: Arena, window: Window, days: int) -> Score:
    about = (
        f"{datetime.now(UTC):%Y-%m-%d}",
        one.version,
        one.strategy.name,
        f"{window.start:%Y-%m-%d}",
        f"{window.end:%Y-%m-%d}",
        days,
    )
    held = (whole.hold.sharpe, whole.hold.profit)
    low, high = band(one.returns, days, np.random.default_rng(int(one.strategy.sha256[:16], 16)))
    try:
        own = figures.checked(one.strategy, whole)["own"]
    except StrategyError as error:
        return Score(*about, math.nan, math.nan, math.nan, *held, low, high, f"FAIL: {error}")
    word = (
        "too short"
        if math.isnan(low) or math.isnan(own.sharpe)
        else "BELOW"
        if own.sharpe < low
        else "ABOVE"
        if own.sharpe > high
        else "inside"
    )
    return Score(*about, own.sharpe, own.profit, own.max_drawdown, *held, low, high, word)


def band(returns: NDArray[np.float64], days: int, rng: np.random.Generator) -> tuple[float, float]:
    """
    Between which annualised Sharpe ratios LEVEL of all stretches of so many days lie, if days go on coming as in
    `returns`.

    Parameters
    ----------
    returns : float array of shape (n_days,)
        Daily, of the search range, oldest first.
    days : int
        Length of a stretch; below significance.MIN_DAYS the band is nan.
    rng : numpy Generator
        Draws the blocks of the stationary bootstrap.
    """
    try:
        significance.checked(returns)
        if days < significance.MIN_DAYS:
            return math.nan, math.nan
        drawn = significance.stretches(returns, days, DRAWS, rng)
    except SampleError:
        return math.nan, math.nan
    sharpes = significance.daily_sharpes(drawn) * np.sqrt(metrics.DAYS_A_YEAR)
    low, high = np.nanquantile(sharpes, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _written(root: Path) -> set[tuple[str, ...]]:
    file = root / RECORD
    columns = list(Score.__slots__)
    rows: list[list[str]] = (
        [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()[1:]] if file.exists() else []
    )
    places = [columns.index(name) for name in ("version", "strategy", "last")]
    return {tuple(row[k] for k in places) for row in rows if len(row) == len(columns)}


def _append(root: Path, made: Score) -> None:
    file = root / RECORD
    text = file.read_text(encoding="utf-8") if file.exists() else "\t".join(Score.__slots__) + "\n"
    cells = [f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split()) for value in astuple(made)]
    write_whole(file, (text + "\t".join(cells) + "\n").encode())
