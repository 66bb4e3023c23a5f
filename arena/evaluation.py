"""One strategy file in, one Result out: worker, booking, metrics, causality, gates, ledger."""

import dataclasses
import hashlib
import json
import math
import os
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from arena import baseline, booking, fills, gates, grid, literals, lock, metrics, report, sandbox, scrutiny, seal, store, strategies, walls, worlds
from arena.causality import Case
from arena.errors import SampleError, StrategyError
from arena.grid import Tables
from arena.ledger import LEDGER, Entry, Ledger, returns_bytes
from arena.lock import Lock
from arena.records import Book, Checks, Claim, GateResult, Market, Metrics, PairResult, Result, Strategy, Window, WindowResult
from arena.settings import Settings

ENGINE = "booking"
LATE_SIGNAL_DAYS = 30
"""A first signal later than this after the first window's start, with an indicator undefined until then, is a warning."""

_RESULT = TypeAdapter(Result)


class Beyond:
    """The candles after the search range, opened when they are first asked for, and then kept."""

    def __init__(self, settings: Settings, tables: Tables) -> None:
        self.settings, self.tables = settings, tables
        self._opening, self._found = threading.Lock(), None

    def __call__(self) -> tuple[Tables, Window]:
        with self._opening:
            if self._found is None:
                settings, sealed = self.settings, None
                if settings.validation:
                    frames = seal.unseal(settings.root / lock.DATA / "validation.sealed")
                    sealed = {pair: grid.table(frame) for pair, frame in frames.items()}
                self._found = scrutiny.continuing(settings, self.tables, sealed)
        return self._found


@dataclass(frozen=True)
class Arena:
    """All that evaluations share. `ledger` is None for a demonstration, which records nothing."""

    settings: Settings
    lock: Lock
    tables: Tables
    market: Market
    markets: dict[str, Any]  # frozen metadata by pair
    beyond: Beyond
    hold: Metrics
    window_hold: tuple[Metrics, ...]
    pair_hold: tuple[float, ...]
    ledger: Ledger | None
    causality: str = "auto"  # "quick", "full", or "auto": full for what passes every gate and would be the ledger's best
    best: list[float] = field(default_factory=list)  # Sharpe ratios of what has passed every gate so far


def open_arena(settings: Settings, *, record: bool, causality: str = "auto") -> Arena:
    """Verify the lock, read the candles, compute the benchmark. Raises ArenaError when any of it cannot be used."""
    locked = lock.verify(settings)
    ledger = Ledger(settings.root / LEDGER) if record else None
    if ledger:
        # an unusable ledger is said before an evaluation is made; an arena that was exchanged behind prepare.py's back shows
        store.note_contract(settings, locked, ["found by run.py"])
    tables = grid.read_candles(settings.root / lock.DATA, settings)
    market = grid.market(tables, settings, settings.search)
    return Arena(
        settings=settings,
        lock=locked,
        tables=tables,
        market=market,
        markets=json.loads((settings.root / lock.DATA / "markets.json").read_text()),
        beyond=Beyond(settings, tables),
        hold=baseline.hold(market, settings.search, settings.fee),
        window_hold=tuple(baseline.hold(market, window, settings.fee) for window in settings.windows),
        pair_hold=tuple(baseline.hold_pair(market, p, settings.search, settings.fee) for p in range(len(settings.pairs))),
        ledger=ledger,
        causality=causality,
        best=passed_sharpes(ledger, locked.contract),
    )


def passed_sharpes(ledger: Ledger | None, contract: str) -> list[float]:
    """Sharpe ratios of the trials that passed every gate."""
    results = [json.loads(trial.result) for trial in ledger.trials(contract)] if ledger else []
    return [r["own"]["sharpe"] for r in results if r["gates"] and all(gate["passed"] for gate in r["gates"])]


def evaluate_all(files: list[Path], arena: Arena) -> Iterator[Result]:
    """Results in the files' order, each as soon as it and those before it are there; one more worker at a time than cores."""
    head = strategies.head(arena.settings.root)
    pool = ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1)  # one more, so that the longest does not begin last
    try:
        futures = [pool.submit(evaluate, file, arena, head) for file in files]
        for future in futures:
            yield future.result()
    except BaseException:
        sandbox.stop()  # after Ctrl-C no worker stays behind
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def evaluate(file: Path, arena: Arena, head: str | None) -> Result:
    """
    Evaluate one file and record the trial; an unchanged source is answered from the ledger. `head` is the commit that it is
    compared with.

    A strategy's fault becomes a Result with `error`. Raises ArenaError alone.
    """
    started = time.perf_counter()
    blank = Result(
        strategy=file.stem,
        sha256="",
        commit="",
        contract=arena.lock.contract,
        source=arena.lock.source["label"],
        sandbox=walls.level(),
        engine=ENGINE,
        seconds=0.0,
    )
    data, spelled = b"", ()
    try:
        data = strategies.read(file)
        strategy = strategies.examine(file, arena.settings, data)
        if arena.ledger and (answer := arena.ledger.answer(arena.lock.contract, strategy.sha256)):
            known = _RESULT.validate_json(answer)
            if arena.causality != "full" or known.error or known.checks.causality == "full":
                commit = strategies.label(arena.settings.root, head, file, data)
                return dataclasses.replace(known, commit=commit, seconds=time.perf_counter() - started, cached=True)
        spelled = literals.find(strategy.source)  # of what is Python
        figures = _figures(strategy, arena)
    except StrategyError as error:
        kind = type(error).__name__
        told, *frames = (report.printable(text) for text in (str(error), *error.frames))  # one line each, wherever they go from here
        figures = {"error": told, "error_kind": kind, "frames": tuple(frames), "gates": gates.failed(kind)}
    source = data.decode(errors="replace")
    commit = strategies.label(arena.settings.root, head, file, data)
    result = dataclasses.replace(
        blank,
        sha256=hashlib.sha256(data).hexdigest(),
        commit=commit,
        literals=spelled,
        seconds=time.perf_counter() - started,
        **figures,
    )
    if arena.ledger:
        arena.ledger.append(_entry(result, source))
    return result


def _figures(strategy: Strategy, arena: Arena) -> dict:
    from arena import significance  # seconds of libraries: loaded while the fork server loads FreqTrade, not for cached answers

    settings, market = arena.settings, arena.market
    started = time.perf_counter()
    claim = sandbox.backtest(strategy, settings, sandbox.Task("backtest", settings.search, arena.markets), arena.tables)
    seconds = time.perf_counter() - started
    if not len(claim.orders.price):
        raise StrategyError(_no_trades(claim, settings))
    book = booking.book(market, claim.orders, wallet=settings.wallet, fee=settings.fee, slots=settings.max_open_trades)
    booking.reconcile(book, claim)
    case = case_of(strategy, arena, claim, book)
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
    checks, judged = _scrutinise(case, arena, own, windows, seconds)
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
        "checks": checks,
        "gates": judged,
        "warnings": _warnings(claim, book, settings),
        "daily_returns": tuple(map(float, returns)),
    }


def case_of(strategy: Strategy, arena: Arena, claim: Claim, book: Book) -> Case:
    """What the checks of causality ask about."""
    settings = arena.settings
    ticks = worlds.ticks(arena.tables, settings.search.start_ms - claim.startup * settings.step_ms)
    return Case(strategy, settings, arena.tables, arena.beyond, arena.markets, claim, book, ticks)


def _scrutinise(
    case: Case, arena: Arena, own: Metrics, windows: tuple[WindowResult, ...], seconds: float
) -> tuple[Checks, tuple[GateResult, ...]]:
    """
    Everything that is asked beyond the account, and the gates. Raises CausalityError or DeterminismError.

    Its random numbers are nobody's to know: instants that could be foreseen could be dodged.
    """
    settings, market, book = arena.settings, arena.market, case.book
    dice = [np.random.default_rng(secrets.randbits(128)) for _ in range(3)]
    with ThreadPoolExecutor(max_workers=1) as beside:
        renamed = beside.submit(scrutiny.relabel, case, dice[0])
        if arena.causality == "full":
            scrutiny.full(case, dice[1])
        else:
            scrutiny.quick(case, seconds, dice[1])
        relabelled = renamed.result()
    checks = Checks(
        causality="full" if arena.causality == "full" else "quick",
        optimistic_fills=fills.optimistic_fills(market, case.claim.orders, book, fee=settings.fee),
        hidden_loss=metrics.hidden_loss(market, book),
        top_share=metrics.top_share(book.trades),
        pair_share=metrics.pair_share(book.trades),
        relabel_sharpe=relabelled,
        relabel_loss=max(0.0, 1 - relabelled / own.sharpe) if own.sharpe > 0 else 0.0 if own.sharpe <= 0 else math.nan,
    )

    def judged(checks: Checks) -> tuple[GateResult, ...]:
        return gates.judge(own, windows, checks, settings.gates, n_pairs=len(case.strategy.pairs))

    passed = all(gate.passed for gate in judged(checks))
    if passed and arena.causality == "auto" and not any(sharpe >= own.sharpe for sharpe in arena.best):
        scrutiny.full(case, dice[2])
        checks = dataclasses.replace(checks, causality="full")
    if passed:
        arena.best.append(own.sharpe)
    return checks, judged(checks)


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
