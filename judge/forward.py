"""
Scores archived strategies on candles that did not exist when they were written. The record grows with time.

New candles go to user_data/forward/candles.sealed, encrypted like validation and holdout, because an agent that could
open them would study them. Each call evaluates every archived strategy from its frozen source, in its own wallet, in
one continuous run from the arena's end to the newest whole day. It appends a row per strategy to versions/forward.tsv
and the ledger.

The run does not continue positions that were open at the arena's end. Earlier candles of any range serve as warm-up; no
figure covers them. The decisions on new candles are checked as before a holdout's figure: a strategy that knows these
candles gets no figure.
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
from arena.evaluation.context import EvaluationContext
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
    first: str  # first day of the range
    last: str  # end of the range
    days: int
    sharpe: float  # annualised
    profit: float
    max_drawdown: float
    hold_sharpe: float
    hold_profit: float
    band_low: float  # band of the Sharpe ratio over as many days of the search range
    band_high: float
    word: str  # inside, BELOW or ABOVE the band; "too short"; or FAIL and why


def frozen(arena: EvaluationContext, say: Say) -> list[Frozen]:
    """
    Returns the strategies of all versions of this arena. Raises ArenaError if there is none, or if a version has
    changed since it was archived.
    """
    archived, root = [], arena.settings.root
    for version in archive_reader.versions(root):
        folder = root / archive_reader.FOLDER / version
        data_by_name = archive_reader.contents(folder)
        if problems := archive_reader.broken(folder, data_by_name):
            raise ArenaError(f"{archive_reader.FOLDER}/{version}: {problems[0]}. Restore it from git.")
        meta = archive_reader.read(root, version, data_by_name)
        if meta["contract"]["arena"] != arena.lock.arena:
            say(f"{version}: of another arena, not scored")
            continue
        returns = pd.read_parquet(
            io.BytesIO(data_by_name[archive_reader.TRIALS] or b""), columns=["sha256", "daily_returns"]
        ).set_index("sha256")["daily_returns"]
        for entry in meta["strategies"]:
            file = f"strategies/{entry['strategy']}.py"
            if entry["error"]:
                say(f"{version} {entry['strategy']}: failed then, not scored")
                continue
            rows = returns.loc[[entry["sha256"]]]
            archived.append(
                Frozen(
                    version,
                    strategy_files.examine(folder / file, arena.settings, data_by_name.get(file) or b""),
                    np.array(rows.iloc[-1], dtype=np.float64),
                )
            )
    if not archived:
        raise ArenaError(
            f"there is no archived strategy of this arena in {archive_reader.FOLDER}/. `uv run judge.py open VERSION` "
            f"archives a run."
        )
    return archived


def begin(arena: EvaluationContext) -> datetime:
    """Returns the start of the forward range: the arena's end."""
    settings = arena.settings
    return (settings.holdout or settings.validation or settings.search).end


def refresh(arena: EvaluationContext, path: Path | None, markets: Path | None, say: Say) -> Tables:
    """
    Returns the stored candles and the source's newer ones, by pair, from the arena's end on. Stores them if there are
    newer ones.

    Raises DataError for candles that do not follow the stored ones, and leaves the store as it was.
    """
    settings = arena.settings
    description = (
        {"kind": "files", "path": str(path), "markets": markets and str(markets)} if path else arena.lock.source
    )
    source = dataset.source_from(description, settings)
    file = settings.root / FOLDER / FILE
    stored = sealing.unseal(file) if file.exists() else {}
    joined, added = {}, 0
    for pair in settings.pairs:
        before = stored.get(pair)
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
        _store(file, joined, sealing.header(file) if stored else None)
    last = {pair: frame["date"].iloc[-1] for pair, frame in joined.items() if len(frame)}
    if not last:
        raise DataError(
            f"{source.label} has no candle from {begin(arena):%Y-%m-%d %H:%M} on, where the arena ends. There is "
            f"nothing to score yet."
        )
    say(f"forward candles: {added} new, up to {min(last.values()):%Y-%m-%d %H:%M}")
    return {pair: table(frame) for pair, frame in joined.items()}


def _store(file: Path, frames: dict[str, pd.DataFrame], old: dict[str, str] | None) -> None:
    """Seals the candles with a new key and forgets the old key once the new file exists."""
    file.parent.mkdir(parents=True, exist_ok=True)
    key, header = sealing.new_key("forward")
    write_whole(file, sealing.seal(file, frames, key, header))
    if old is not None:
        sealing.forget_key(old)


def score(
    arena: EvaluationContext, ledger: Ledger, frozen: Sequence[Frozen], newer: Tables, passphrase: str | None, say: Say
) -> list[Score]:
    """Scores each archived strategy over the whole days of the forward range and appends rows that are missing."""
    settings, start = arena.settings, begin(arena)
    ends = min(float(rows[-1, 0]) for rows in newer.values() if len(rows)) + settings.step_ms
    days = int((ends - start.timestamp() * 1000) // metrics.DAY_MS)
    if days < 1:
        raise DataError(f"the candles after {start:%Y-%m-%d} do not fill a day yet. Come back later.")
    window = Window("forward", start, start + timedelta(days=days))
    whole = context.over(arena, (window,), (*context.sealed_candles(arena, passphrase), newer))
    written = _written(settings.root)
    scores = []
    for archived in frozen:
        row = _scored(archived, whole, window, days)
        scores.append(row)
        if (row.version, row.strategy, row.last) not in written:
            _append(settings.root, row)
            strategy = archived.strategy
            result = json.dumps(asdict(row))
            ledger.append(
                Entry(
                    "forward",
                    arena.lock.contract,
                    strategy.name,
                    strategy.sha256,
                    strategy.source,
                    result=result,
                    verdict=row.word,
                )
            )
        if row.word not in ("inside", "too short"):
            say(f"warning: {row.version} {row.strategy} is {row.word} what its search range leads to expect")
    return scores


def _scored(archived: Frozen, whole: EvaluationContext, window: Window, days: int) -> Score:
    identity = (
        f"{datetime.now(UTC):%Y-%m-%d}",
        archived.version,
        archived.strategy.name,
        f"{window.start:%Y-%m-%d}",
        f"{window.end:%Y-%m-%d}",
        days,
    )
    hold_figures = (whole.hold.sharpe, whole.hold.profit)
    low, high = band(archived.returns, days, np.random.default_rng(int(archived.strategy.sha256[:16], 16)))
    try:
        own = figures.checked(archived.strategy, whole)["own"]
    except StrategyError as error:
        return Score(*identity, math.nan, math.nan, math.nan, *hold_figures, low, high, f"FAIL: {error}")
    word = (
        "too short"
        if math.isnan(low) or math.isnan(own.sharpe)
        else "BELOW"
        if own.sharpe < low
        else "ABOVE"
        if own.sharpe > high
        else "inside"
    )
    return Score(*identity, own.sharpe, own.profit, own.max_drawdown, *hold_figures, low, high, word)


def band(returns: NDArray[np.float64], days: int, rng: np.random.Generator) -> tuple[float, float]:
    """
    Returns the bounds within which LEVEL of all stretches of `days` days have their annualised Sharpe ratio, if days go
    on coming as in `returns`.

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


def _append(root: Path, row: Score) -> None:
    file = root / RECORD
    text = file.read_text(encoding="utf-8") if file.exists() else "\t".join(Score.__slots__) + "\n"
    cells = [f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split()) for value in astuple(row)]
    write_whole(file, (text + "\t".join(cells) + "\n").encode())
