"""The arena that evaluations share: verified lock, candles, benchmark, the trials so far."""

import functools
import json
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from arena.checks import relabelling, schedule
from arena.errors import ArenaError, SealError
from arena.ledger import data_lock, trial_history
from arena.ledger.data_lock import Lock
from arena.ledger.store import LEDGER, LOOK, REFUSED, Entry, Ledger
from arena.ledger.trial_history import Placed
from arena.market import benchmark, candle_tables, scenarios, sealing
from arena.market.candle_tables import Tables
from arena.preparation import dataset
from arena.records import Look, Market, Metrics, Result, Strategy, Window
from arena.settings import Settings
from arena.startup import compiled
from arena.stats import ladder

RESULT = TypeAdapter(Result)


class Beyond:
    """
    The candles after the search range, opened on first use and then kept. Without `sealed`, sealed candles are left
    out.
    """

    def __init__(self, settings: Settings, locked: Lock, tables: Tables, *, sealed: bool) -> None:
        self.settings, self.lock, self.tables, self.sealed = settings, locked, tables, sealed
        self._opening = threading.Lock()
        self._found: tuple[Tables, Window] | None = None

    def __call__(self) -> tuple[Tables, Window]:
        with self._opening:
            if self._found is None:
                settings, sealed = self.settings, None
                if self.sealed and settings.validation:
                    sealed = sealed_tables(settings, self.lock, "validation.sealed")
                self._found = schedule.continuing(settings, self.tables, sealed)
        return self._found


class TickSizes:
    """
    Tick sizes by month as FreqTrade derives them, by `startup_candle_count`. They are computed once and serve every
    evaluation.
    """

    def __init__(self, settings: Settings, tables: Tables) -> None:
        self.settings, self.tables = settings, tables
        self._found: dict[int, scenarios.Ticks] = {}

    def __call__(self, startup: int) -> scenarios.Ticks:
        if startup not in self._found:
            self._found[startup] = scenarios.ticks(
                self.tables, self.settings.search.start_ms - startup * self.settings.step_ms
            )
        return self._found[startup]


class Trials:
    """
    Every distinct source that was tried on the contract's candles. `returns` has those of the contract itself: daily
    returns by sha256, None for one that failed or never ended. Sources that only other contracts have tried count as
    well.

    A run first announces what it will evaluate, so that the order in which its workers end changes no count.
    """

    def __init__(self, ledger: Ledger | None, contract: str) -> None:
        self._tried = trial_history.on_candles_of(ledger, contract) if ledger else trial_history.Tried()
        self.returns = self._tried.own
        self.looks: list[Look] = list(self._tried.looks)
        self._climbing = threading.Lock()

    def announce(self, shas: list[str]) -> None:
        for sha in shas:
            self.returns.setdefault(sha, None)

    def add(self, result: Result) -> None:
        """Adds what a run has found; the next run counts it."""
        if result.sha256 and result.error_kind != REFUSED:
            self.returns[result.sha256] = np.array(result.daily_returns) if result.daily_returns else None

    def others(self, sha256: str) -> list[NDArray[np.float64]]:
        """Returns the daily returns of the contract's other trials, if they have any."""
        return [returns for sha, returns in self.returns.items() if returns is not None and sha != sha256]

    def placed(self, sha256: str, n_days: int) -> Placed:
        """Daily returns over these days of trials that only other contracts have, except this one."""
        return self._tried.placed(n_days, apart=sha256)

    def count(self, sha256: str) -> int:
        return len(self.returns.keys() | {sha256}) + self.elsewhere(sha256)

    def elsewhere(self, sha256: str) -> int:
        """How many of them only other contracts have, or are lost entries."""
        return self._tried.others(sha256)

    def look(self, sharpe: float, step: float) -> Look:
        """
        Asks the ladder, one at a time, because each look changes what the next one is told. The strategy is convincing
        otherwise, so it also learns the sign if it is no new best.
        """
        with self._climbing:
            look = ladder.climb(ladder.best_of(self.looks), sharpe, step)
            if not look.improved:
                look = replace(look, positive=bool(sharpe > 0))
            self.looks.append(look)
            return replace(look, looks=ladder.count(self.looks))


@dataclass(frozen=True)
class EvaluationContext:
    """All that evaluations share. `ledger` is None for a demonstration, which records nothing."""

    settings: Settings
    lock: Lock
    tables: Tables
    market: Market
    markets: dict[str, Any]  # frozen metadata by pair
    ticks: TickSizes
    beyond: Beyond
    after: Beyond
    hold: Metrics
    window_hold: tuple[Metrics, ...]
    pair_hold: tuple[float, ...]
    ledger: Ledger | None
    trials: Trials
    causality: str = "auto"  # "quick", "full", or "auto": full before the validation window is asked
    # next to a replay, FreqTrade's loop runs over the whole range at once, not over a stretch first
    thorough: bool = False
    before: "EvaluationContext | None" = (
        None  # the arena whose range this one continues, into candles that nobody may know
    )


def open_arena(settings: Settings, *, record: bool, causality: str = "auto") -> EvaluationContext:
    """Verifies the lock, reads the candles, computes the benchmark. Raises ArenaError when any of it cannot be used."""
    compiled.refuse_settings(Path.cwd())
    locked = data_lock.verify(settings)
    ledger = Ledger(settings.root / LEDGER) if record else None
    if ledger:
        ledger.confirm()
        # report an unusable ledger before any evaluation, and show an arena that was exchanged without prepare.py
        dataset.note_contract(settings, locked, ["found by run.py"])
    data_lock.confirm(locked)
    read = data_lock.reader(locked, settings.root)
    return EvaluationContext(
        **_candles(settings, locked, candle_tables.read_candles(settings.root / data_lock.DATA, settings, read)),
        lock=locked,
        markets=json.loads(read("markets.json")),
        ledger=ledger,
        trials=Trials(ledger, locked.contract),
        causality=causality,
    )


def begin_look(arena: EvaluationContext, strategy: Strategy) -> None:
    """
    Records that the validation window is about to be asked: whatever becomes of it, that was a look. Does nothing
    without a ledger.
    """
    if arena.ledger:
        arena.ledger.begin(Entry("trial", arena.lock.contract, strategy.name, strategy.sha256, strategy.source), LOOK)


def over(arena: EvaluationContext, windows: tuple[Window, ...], candles: tuple[Tables, ...]) -> EvaluationContext:
    """
    Returns the arena over other windows, contiguous and in order, with candles that follow its own: one continuous run
    over all of them, every check at its deepest, limits in proportion. It records nothing and knows no other trial.
    """
    settings = arena.settings
    whole = Window("search", windows[0].start, windows[-1].end)
    times = max((whole.end_ms - whole.start_ms) / (settings.search.end_ms - settings.search.start_ms), 1)
    other = relabelling.longer(settings, times).model_copy(
        update={"windows": windows, "search": whole, "validation": None, "holdout": None}
    )
    data_lock.confirm(arena.lock)
    fields = _candles(other, arena.lock, functools.reduce(candle_tables.joined, candles, arena.tables))
    before = arena if whole.start == settings.search.start else None
    return replace(
        arena,
        **fields,
        ledger=None,
        trials=Trials(None, arena.lock.contract),
        causality="full",
        thorough=True,
        before=before,
    )


def sealed_candles(arena: EvaluationContext, passphrase: str | None = None) -> tuple[Tables, ...]:
    """Returns the candles of validation and holdout, if there are any, in memory only. Raises SealError."""
    settings = arena.settings
    # first, because this one may fail
    holdout = [sealed_tables(settings, arena.lock, "holdout.sealed", passphrase)] if settings.holdout else []
    return (*([sealed_tables(settings, arena.lock, "validation.sealed")] if settings.validation else []), *holdout)


def existing_ledger(settings: Settings) -> Ledger:
    """Returns the ledger of this folder. Raises ArenaError when it is gone, or nothing was recorded yet."""
    if not (settings.root / LEDGER).exists():
        Ledger(settings.root / LEDGER).confirm()
        raise ArenaError(f"there is no ledger at {LEDGER}: nothing was recorded here. Run `uv run run.py` first.")
    return Ledger(settings.root / LEDGER)


def _candles(settings: Settings, locked: Lock, tables: Tables) -> dict[str, Any]:
    """Returns the fields of an EvaluationContext that follow from its candles, which are cut to its range."""
    tables = scenarios.cut(tables, None, settings.search.end_ms + 1)
    market = candle_tables.market(tables, settings, settings.search)
    return {
        "settings": settings,
        "tables": tables,
        "market": market,
        "ticks": TickSizes(settings, tables),
        "beyond": Beyond(settings, locked, tables, sealed=True),
        "after": Beyond(settings, locked, tables, sealed=False),
        "hold": benchmark.hold(market, settings.search, settings.fee),
        "window_hold": tuple(benchmark.hold(market, window, settings.fee) for window in settings.windows),
        "pair_hold": tuple(
            benchmark.hold_pair(market, p, settings.search, settings.fee) for p in range(len(settings.pairs))
        ),
    }


def sealed_tables(settings: Settings, locked: Lock, name: str, passphrase: str | None = None) -> Tables:
    """
    Returns the candles of a sealed file, in memory only. Raises SealError, also if the file holds other candles than
    the contract's; LockError if the file is not the locked one.
    """
    file = settings.root / data_lock.DATA / name
    frames = sealing.unseal(file, passphrase, data_lock.reader(locked, settings.root)(name))
    if sealing.content_hash(frames) != locked.content.get(f"{data_lock.DATA}/{name}"):
        raise SealError(
            f"{file} holds other candles than those that the contract is of. Run `uv run prepare.py --force`."
        )
    return {pair: candle_tables.table(frame) for pair, frame in frames.items()}
