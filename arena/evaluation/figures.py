"""All that is found out about one strategy: account, checks, stress, evidence, validation, gates."""

import hashlib
import math
import secrets
import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena import progress
from arena.accounting import booking, pessimistic_fills
from arena.accounting.replay import inputs
from arena.checks import fixed_duration, relabelling, schedule, stress, twin_candles
from arena.checks.comparison import Finding
from arena.checks.lookahead import Case
from arena.errors import CausalityError, DeterminismError, SampleError, StrategyError
from arena.evaluation import context, hints
from arena.evaluation.context import Arena
from arena.evaluation.engines import Engine, claimed
from arena.records import Book, Checks, Claim, Evidence, GateResult, Look, PairResult, Result, Strategy, WindowResult
from arena.sandbox import client
from arena.stats import gates, metrics, selection_bias, significance

NO_GATE = "a gate says no"
INTERRUPTED = "the evaluation was interrupted"
WISHFUL = "optimistic_fills: the profit after the search range rests on fills that a pessimist would not grant"


class Account(NamedTuple):
    """A strategy's orders, booked against the arena's own candles."""

    claim: Claim  # its orders are those that were booked
    engine: Engine
    book: Book


@dataclass(frozen=True, slots=True)
class Earned:
    """What one strategy has by itself, whatever else was tried."""

    figures: dict[str, Any]  # fields of the Result; its gates are those before the evidence
    made: Account | None = None  # in the process that made it


def earn(strategy: Strategy, arena: Arena) -> Earned:
    """
    Account, checks and stress. What hardly trades or loses is told so by its account, and asked nothing that costs time
    and decides nothing any more; the judge asks everything. Raises StrategyError.
    """
    started = time.perf_counter()
    progress.step(strategy.name, "backtest")
    made = account(strategy, arena)
    found = measured(strategy, arena, made)
    found["skipped"] = skipped = () if arena.thorough else _skipped(strategy, arena, found)
    if "stress" not in skipped:
        progress.step(strategy.name, "stress")
        dice = np.random.default_rng(int(strategy.sha256[16:32], 16))
        found["stress"] = stress.of(arena.market, arena.settings, made.claim.orders, made.engine.described, dice)
    found |= _scrutinised(strategy, arena, made, found)
    return Earned({**found, "seconds": time.perf_counter() - started}, made)


def _skipped(strategy: Strategy, arena: Arena, found: dict[str, Any]) -> tuple[str, ...]:
    """Checks that can decide nothing more: see gates.HOPELESS and gates.LOW_SHARPE."""
    if any(not gate.passed for gate in _gates(strategy, arena, found, Checks()) if gate.gate in gates.HOPELESS):
        return ("relabel", "stress")
    return ("relabel",) if found["own"].sharpe < gates.LOW_SHARPE else ()


def checked(strategy: Strategy, arena: Arena) -> dict[str, Any]:
    """What the account alone says, of a strategy whose decisions there were checked in full. Raises StrategyError."""
    made, search = account(strategy, arena), arena.settings.search
    schedule.hidden(
        case_of(strategy, arena, made), np.random.default_rng(secrets.randbits(128)), search.start_ms, search.end_ms
    )
    return measured(strategy, arena, made)


def measured(strategy: Strategy, arena: Arena, made: Account) -> dict[str, Any]:
    """What the account alone says, by field of the Result."""
    settings, market = arena.settings, arena.market
    claim, _, book = made
    own = metrics.measure(market, book, settings.search, last=True)
    windows = tuple(
        WindowResult(window.name, metrics.measure(market, book, window, last=window is settings.windows[-1]), hold)
        for window, hold in zip(settings.windows, arena.window_hold, strict=True)
    )
    returns = metrics.daily_returns(market.open_ms, book.equity_open)
    low, high = interval(returns, strategy)
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
        "daily_returns": tuple(map(float, returns)),
    }


def account(strategy: Strategy, arena: Arena) -> Account:
    """What the strategy bought and sold in the search range, and what came of it. Raises StrategyError."""
    settings = arena.settings
    claim, engine = claimed(strategy, arena)
    if not len(claim.orders.price):
        raise StrategyError(hints.no_trades(claim, settings))
    book = booking.book(
        arena.market, claim.orders, wallet=settings.wallet, fee=settings.fee, slots=settings.max_open_trades
    )
    if engine.described is None:
        booking.reconcile(book, claim)
    return Account(claim, engine, book)


def judged(earned: Earned, strategy: Strategy, arena: Arena, *, deeper: bool = True) -> dict[str, Any]:
    """
    Fields of the Result, with the evidence of all trials and, where every other gate says yes, the full check and the
    answer of the validation window, unless the evaluation was interrupted: then nothing is asked any more. Raises
    StrategyError.
    """
    started, found, limits = time.perf_counter(), earned.figures, arena.settings.gates
    evidence, why, validation = against_all(arena, strategy.sha256, np.array(found["daily_returns"])), NO_GATE, None
    if all(gate.passed for gate in found["gates"]) and evidence.dsr >= limits.min_dsr:
        found, why, validation = _deeper(earned, strategy, arena) if deeper else (found, INTERRUPTED, None)
    look = Look(why=why) if validation is None else arena.trials.look(validation, arena.settings.ladder_step)
    seconds = found["seconds"] + time.perf_counter() - started
    return {
        **found,
        "evidence": evidence,
        "look": look,
        "gates": (*found["gates"], *gates.evidence(evidence, look, limits)),
        "seconds": seconds,
    }


def case_of(strategy: Strategy, arena: Arena, made: Account) -> Case:
    """What the checks of causality ask about."""
    claim, engine, book = made
    ticks = arena.ticks(claim.startup)
    return Case(
        strategy,
        arena.settings,
        arena.tables,
        arena.beyond,
        arena.after,
        arena.markets,
        claim,
        book,
        ticks,
        engine.described,
    )


def interval(returns: NDArray[np.float64], strategy: Strategy) -> tuple[float, float]:
    """95 % of the annualised Sharpe, the same whenever it is asked for; nan where there are too few days to tell."""
    try:
        return significance.sharpe_interval(returns, np.random.default_rng(int(strategy.sha256[:16], 16)))
    except SampleError:
        return math.nan, math.nan


def _scrutinised(strategy: Strategy, arena: Arena, made: Account, found: dict[str, Any]) -> dict[str, Any]:
    """
    What is asked beyond the account, and the gates that follow from it, by field of the Result. Raises CausalityError
    or DeterminismError, or LimitError.

    The instants of causality are nobody's to know, and change: what could be foreseen could be dodged. One thing after
    another: while a strategy is asked without its future, no other worker of it has it.
    """
    case, own = case_of(strategy, arena, made), found["own"]
    depth, dice = "full" if arena.causality == "full" else "quick", np.random.default_rng(secrets.randbits(128))
    progress.step(strategy.name, f"causality, {depth}")
    handed = _in_full(case, arena, dice) if depth == "full" else schedule.quick(case, dice)
    checks = Checks(
        causality=depth,
        optimistic_fills=_wishful(case, arena, handed),
        hidden_loss=metrics.hidden_loss(arena.market, made.book),
        top_share=metrics.top_share(made.book.trades),
        pair_share=metrics.pair_share(made.book.trades),
        replay=made.engine.replay,
    )
    if "relabel" not in found["skipped"]:
        progress.step(strategy.name, "relabel")
        relabelled = relabelling.relabel(case, np.random.default_rng(_seed(case)), own.sharpe)
        loss = max(0.0, 1 - relabelled / own.sharpe) if own.sharpe > 0 else 0.0 if own.sharpe <= 0 else math.nan
        checks = replace(checks, relabel_sharpe=relabelled, relabel_loss=loss)
    return _concluded(strategy, arena, made, found, checks)


def _concluded(
    strategy: Strategy, arena: Arena, made: Account, found: dict[str, Any], checks: Checks
) -> dict[str, Any]:
    """What follows from the engine and the checks, by field of the Result."""
    engine = made.engine
    return {
        "engine": engine.name,
        "engine_note": engine.note,
        "warnings": hints.warnings(made.claim, made.book, arena.settings, engine.differs),
        "checks": checks,
        "gates": _gates(strategy, arena, found, checks),
    }


def _gates(strategy: Strategy, arena: Arena, found: dict[str, Any], checks: Checks) -> tuple[GateResult, ...]:
    skipped = found.get("skipped", ())
    return gates.judge(
        found["own"], found["windows"], checks, arena.settings.gates, n_pairs=len(strategy.pairs), skipped=skipped
    )


def _deeper(earned: Earned, strategy: Strategy, arena: Arena) -> tuple[dict[str, Any], str, float | None]:
    """
    What is asked before the strategy counts: the full check, FreqTrade's loop over the whole range, and the annualised
    Sharpe of the validation window, a secret that only the trusted process may hold; None where that is not asked, with
    the reason. Raises StrategyError.
    """
    found, settings = earned.figures, arena.settings
    if arena.causality == "quick":
        return found, "only what passed the full check of causality is asked", None
    made = earned.made or _again(earned, strategy, arena)
    case, checks = case_of(strategy, arena, made), found["checks"]
    progress.step(strategy.name, "causality, full")
    if checks.causality != "full":
        handed = schedule.full(case, np.random.default_rng(secrets.randbits(128)))
        checks = replace(
            checks, causality="full", optimistic_fills=max(checks.optimistic_fills, _wishful(case, arena, handed))
        )
    if made.claim.stretch is not None and not arena.thorough and (unlike := _unlike(case, arena)):
        made, checks = (
            made._replace(engine=made.engine._replace(note=unlike, replay="differs")),
            replace(checks, replay="differs"),
        )
    found = {**found, **_concluded(strategy, arena, made, found, checks)}
    if not all(gate.passed for gate in found["gates"]):
        return found, NO_GATE, None
    if settings.validation is None:
        return found, "there is no validation window", None
    progress.step(strategy.name, "validation")
    context.begin_look(arena, strategy)
    dice = np.random.default_rng(secrets.randbits(128))
    return (
        found,
        "",
        fixed_duration.asked(case, settings.validation.end_ms, lambda timed: schedule.validation_sharpe(timed, dice)),
    )


def _again(earned: Earned, strategy: Strategy, arena: Arena) -> Account:
    """The account of a strategy that was evaluated elsewhere. Raises DeterminismError where it is another one here."""
    made = account(strategy, arena)
    if measured(strategy, arena, made)["daily_returns"] != earned.figures["daily_returns"]:
        raise DeterminismError("determinism: two fresh runs with the same candles make other trades")
    return made


def _in_full(case: Case, arena: Arena, rng: np.random.Generator) -> dict[str, Finding]:
    """
    The full check. In a run that goes on into ranges which nobody may know, each of them is checked for itself, and
    what is decided before them must be what it is without them.
    """
    if arena.before is None:
        return schedule.full(case, rng)
    earlier, known = arena.before, arena.before.settings.search.end_ms
    made = account(case.strategy, earlier)
    before = case_of(case.strategy, earlier, made)
    schedule.unchanged(before, case)
    handed = schedule.full(case, rng, until_ms=known)
    for window in arena.settings.windows:
        if window.start_ms >= known:
            handed |= schedule.hidden(case, rng, window.start_ms, window.end_ms)
    if not schedule.wishful(before, case, handed) <= arena.settings.gates.max_optimistic_fills:
        raise StrategyError(WISHFUL)
    return handed


def _wishful(case: Case, arena: Arena, handed: dict[str, Finding]) -> float:
    """
    The share of the profit that rests on wishful fills. Exits that were decided with their candle's high and low, which
    the trade holds, are foresight where the profit rests on them. Raises CausalityError then.
    """
    late = twin_candles.late(handed)
    share = pessimistic_fills.optimistic_fills(
        arena.market, case.claim.orders, case.book, fee=arena.settings.fee, late=late
    )
    if handed and not share <= arena.settings.gates.max_optimistic_fills:
        raise CausalityError(
            f"causality: {next(iter(handed.values()))}: trade.max_rate and trade.min_rate hold the candle that is not "
            f"over, and "
            f"{100 * share:.0f} % of the profit is gone where such exits fill at the next open"
        )
    return share


def _seed(case: Case) -> int:
    """
    Of the relabelled market: the same whenever and wherever this source is evaluated under this contract, and known to
    nobody who does not know the candles of the validation window.
    """
    beyond, _ = case.beyond()
    digest = hashlib.sha256(case.strategy.sha256.encode())
    for pair in sorted(beyond):
        digest.update(np.ascontiguousarray(beyond[pair]).tobytes())
    return int.from_bytes(digest.digest()[:16])


def _unlike(case: Case, arena: Arena) -> str:
    """
    The first difference between the replay's orders and FreqTrade's own loop over the whole range; empty when there is
    none.
    """
    claim = client.backtest(
        case.strategy, case.settings, client.Task("backtest", case.settings.search, case.markets), case.tables
    )
    return inputs.difference(case.claim.orders, claim.orders, arena.market)


def as_of_now(known: Result, arena: Arena) -> Result:
    """An answer from the ledger with today's evidence: trials have been made since, and each raises the line."""
    returns = arena.trials.returns.get(known.sha256)
    if known.error or returns is None:
        return known
    evidence = against_all(arena, known.sha256, returns)
    earned = tuple(gate for gate in known.gates if gate.gate not in gates.EVIDENCE)
    return replace(
        known, evidence=evidence, gates=(*earned, *gates.evidence(evidence, known.look, arena.settings.gates))
    )


def against_all(arena: Arena, sha256: str, returns: NDArray[np.float64]) -> Evidence:
    """This trial against all on the same candles that were begun or are about to be, whatever contract they had."""
    tried = arena.trials
    placed = tried.placed(sha256, len(returns))
    found = selection_bias.evidence(
        returns, [returns, *tried.others(sha256), *placed.whole], tried.count(sha256), placed.filled
    )
    why = ""
    if math.isnan(found.dsr):
        why = (
            "one trial alone has nothing to be compared with"
            if found.trials < 2
            else "too few days, or daily returns that do not vary"
        )
    return Evidence(**found._asdict(), other_contracts=tried.elsewhere(sha256), why=why)


def _pairs(strategy: Strategy, arena: Arena, book: Book) -> tuple[PairResult, ...]:
    results = []
    for pair in strategy.pairs:
        p = arena.settings.pairs.index(pair)
        figures = metrics.trade_figures([t for t in book.trades if t.pair == pair])
        profit = float(book.pair_profit[p, -1] / arena.settings.wallet)
        results.append(PairResult(pair=pair, profit=profit, hold_profit=arena.pair_hold[p], **figures))
    return tuple(results)
