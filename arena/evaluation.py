"""One strategy file in, one Result out: worker, booking, metrics, gates, ledger."""

import dataclasses
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from arena import baseline, booking, gates, grid, lock, metrics, report, sandbox, store, strategies
from arena.errors import SampleError, StrategyError
from arena.ledger import LEDGER, Entry, Ledger, returns_bytes
from arena.lock import Lock
from arena.records import Book, Claim, Market, Metrics, PairResult, Result, Strategy, WindowResult
from arena.settings import Settings

ENGINE = "booking"
LATE_SIGNAL_DAYS = 30
"""A first signal later than this after the first window's start, with an indicator undefined until then, is a warning."""

_RESULT = TypeAdapter(Result)


@dataclass(frozen=True)
class Arena:
    """All that evaluations share. `ledger` is None for a demonstration, which records nothing."""

    settings: Settings
    lock: Lock
    market: Market
    hold: Metrics
    window_hold: tuple[Metrics, ...]
    pair_hold: tuple[float, ...]
    ledger: Ledger | None

    @property
    def data_dir(self) -> Path:
        return self.settings.root / lock.DATA


def open_arena(settings: Settings, *, record: bool) -> Arena:
    """Verify the lock, read the candles, compute the benchmark. Raises ArenaError when any of it cannot be used."""
    locked = lock.verify(settings)
    ledger = Ledger(settings.root / LEDGER) if record else None
    if ledger:
        # an unusable ledger is said before an evaluation is made; an arena that was exchanged behind prepare.py's back shows
        store.note_contract(settings, locked, ["found by run.py"])
    market = grid.read_market(settings.root / lock.DATA, settings, settings.search)
    return Arena(
        settings=settings,
        lock=locked,
        market=market,
        hold=baseline.hold(market, settings.search, settings.fee),
        window_hold=tuple(baseline.hold(market, window, settings.fee) for window in settings.windows),
        pair_hold=tuple(baseline.hold_pair(market, p, settings.search, settings.fee) for p in range(len(settings.pairs))),
        ledger=ledger,
    )


def evaluate_all(files: list[Path], arena: Arena) -> Iterator[Result]:
    """Results in the files' order, each as soon as it and those before it are there; one more worker at a time than cores."""
    commits = strategies.commits(arena.settings.root, files)
    pool = ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1)  # one more, so that the longest does not begin last
    try:
        futures = [pool.submit(evaluate, file, arena, commits[file]) for file in files]
        for future in futures:
            yield future.result()
    except BaseException:
        sandbox.stop()  # after Ctrl-C no worker stays behind
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def evaluate(file: Path, arena: Arena, commit: str) -> Result:
    """
    Evaluate one file and record the trial; an unchanged source is answered from the ledger.

    A strategy's fault becomes a Result with `error`. Raises ArenaError alone.
    """
    started = time.perf_counter()
    blank = Result(
        strategy=file.stem,
        sha256="",
        commit=commit,
        contract=arena.lock.contract,
        source=arena.lock.source["label"],
        sandbox=sandbox.LEVEL,
        engine=ENGINE,
        seconds=0.0,
    )
    strategy = None
    try:
        strategy = strategies.examine(file, arena.settings)
        if arena.ledger and (answer := arena.ledger.answer(arena.lock.contract, strategy.sha256)):
            seconds = time.perf_counter() - started
            return dataclasses.replace(_RESULT.validate_json(answer), commit=commit, seconds=seconds, cached=True)
        figures = _figures(strategy, arena)
    except StrategyError as error:
        figures = {"error": str(error), "error_kind": type(error).__name__, "frames": error.frames}
    if strategy:
        source, sha256 = strategy.source, strategy.sha256
    else:
        data = strategies.content(file)
        source, sha256 = data.decode(errors="replace"), hashlib.sha256(data).hexdigest()
    result = dataclasses.replace(blank, sha256=sha256, seconds=time.perf_counter() - started, **figures)
    if arena.ledger:
        arena.ledger.append(_entry(result, source))
    return result


def _figures(strategy: Strategy, arena: Arena) -> dict:
    from arena import significance  # seconds of libraries: loaded while the fork server loads FreqTrade, not for cached answers

    settings, market = arena.settings, arena.market
    claim = sandbox.backtest(strategy, settings, arena.data_dir)
    if not len(claim.orders.price):
        raise StrategyError(_no_trades(claim, settings))
    book = booking.book(market, claim.orders, wallet=settings.wallet, fee=settings.fee, slots=settings.max_open_trades)
    booking.reconcile(book, claim)
    own = metrics.measure(market, book, settings.search, last=True)
    windows = tuple(
        WindowResult(window.name, metrics.measure(market, book, window, last=window is settings.windows[-1]), hold)
        for window, hold in zip(settings.windows, arena.window_hold, strict=True)
    )
    days = metrics.daily_equity(market.open_ms, book.equity_open)
    returns = days[1:] / days[:-1] - 1
    try:
        low, high = significance.sharpe_interval(returns, np.random.default_rng(int(strategy.sha256[:16], 16)))
    except SampleError:  # too few days to tell: nan
        low = high = math.nan
    return {
        "own": own,
        "hold": arena.hold,
        "sharpe_low": low,
        "sharpe_high": high,
        "robust_sharpe": float(np.min([w.own.sharpe for w in windows])),
        "closed_sharpe": claim.closed_sharpe,
        "rejected_entries": claim.rejected,
        "windows": windows,
        "pairs": _pairs(strategy, arena, book),
        "gates": gates.judge(own, windows, settings.gates),
        "warnings": _warnings(claim, book, settings),
        "daily_returns": tuple(map(float, returns)),
    }


def _pairs(strategy: Strategy, arena: Arena, book: Book) -> tuple[PairResult, ...]:
    results = []
    for pair in strategy.pairs:
        p = arena.settings.pairs.index(pair)
        figures = metrics.trade_figures([t for t in book.trades if t.pair == pair])
        profit = float(book.pair_profit[p, -1] / arena.settings.wallet)
        results.append(PairResult(pair=pair, profit=profit, hold_profit=arena.pair_hold[p], **figures))
    return tuple(results)


def _warnings(claim: Claim, book: Book, settings: Settings) -> tuple[str, ...]:
    found = []
    late = settings.search.start_ms + LATE_SIGNAL_DAYS * metrics.DAY_MS
    if claim.warmup and claim.warmup_ms is not None and claim.warmup_ms > late and (claim.first_signal_ms or late + 1) > late:
        days = (claim.warmup_ms - settings.search.start_ms) / metrics.DAY_MS
        found.append(
            f"no signal was possible in the first {days:.0f} days: {claim.warmup} has no value before {_day(claim.warmup_ms)}. "
            "Shorten it, or let arena.warmup_from begin earlier"
        )
    if book.open_profit:
        found.append(f"positions worth {book.open_profit:+.2f} of open profit never closed; they are valued at the last open")
    return tuple(found)


def _no_trades(claim: Claim, settings: Settings) -> str:
    if claim.first_signal_ms is not None:
        return f"no trades: there are entry signals from {_day(claim.first_signal_ms)} on, but no entry was filled (stake, price or confirmation refuse)"
    late = claim.warmup and claim.warmup_ms is not None and claim.warmup_ms > settings.search.start_ms
    return "no trades: no entry signal in any pair" + (f"; {claim.warmup} has no value before {_day(claim.warmup_ms)}" if late else "")


def _day(ms: int) -> str:
    return str(np.datetime64(ms, "ms"))[:10]


def _entry(result: Result, source: str) -> Entry:
    verdict = gates.verdict(result.gates) if not result.error else f"FAIL: {report.printable(result.error)}"
    return Entry(
        kind="trial",
        contract=result.contract,
        strategy=result.strategy,
        sha256=result.sha256,
        source=source,
        commit_id=result.commit,
        error_kind=result.error_kind,
        result=json.dumps(dataclasses.asdict(dataclasses.replace(result, daily_returns=()))),
        verdict=verdict,
        returns=returns_bytes(result.daily_returns),
    )
