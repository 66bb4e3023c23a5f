"""Finds out everything about one strategy: account, checks, stress, evidence, validation, gates."""

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
from arena.evaluation.context import EvaluationContext
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
    """What one strategy has by itself, independent of other trials."""

    figures: dict[str, Any]  # fields of the Result; its gates are those before the evidence
    made: Account | None = None  # only in the process that made it


def earn(strategy: Strategy, arena: EvaluationContext) -> Earned:
    """
    Computes account, checks and stress. If the account shows that a strategy hardly trades or loses, skips what costs
    time and can no longer change the decision; the judge skips nothing. Raises StrategyError.
    """
    started = time.perf_counter()
    progress.step(strategy.name, "backtest")
    booked = account(strategy, arena)
    fields = measured(strategy, arena, booked)
    fields["skipped"] = skipped = () if arena.thorough else _skipped(strategy, arena, fields)
    if "stress" not in skipped:
        progress.step(strategy.name, "stress")
        rng = np.random.default_rng(int(strategy.sha256[16:32], 16))
        fields["stress"] = stress.of(arena.market, arena.settings, booked.claim.orders, booked.engine.described, rng)
    fields |= _scrutinised(strategy, arena, booked, fields)
    return Earned({**fields, "seconds": time.perf_counter() - started}, booked)


def _skipped(strategy: Strategy, arena: EvaluationContext, fields: dict[str, Any]) -> tuple[str, ...]:
    """Returns the checks that can no longer change the decision: see gates.HOPELESS and gates.LOW_SHARPE."""
    if any(not gate.passed for gate in _gates(strategy, arena, fields, Checks()) if gate.gate in gates.HOPELESS):
        return ("relabel", "stress")
    return ("relabel",) if fields["own"].sharpe < gates.LOW_SHARPE else ()


def checked(strategy: Strategy, arena: EvaluationContext) -> dict[str, Any]:
    """Returns what the account alone says, after a full check of its decisions. Raises StrategyError."""
    booked, search = account(strategy, arena), arena.settings.search
    schedule.hidden(
        case_of(strategy, arena, booked), np.random.default_rng(secrets.randbits(128)), search.start_ms, search.end_ms
    )
    return measured(strategy, arena, booked)


def measured(strategy: Strategy, arena: EvaluationContext, made: Account) -> dict[str, Any]:
    """Returns what the account alone says, by field of the Result."""
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
        "robust_sharpe": float(np.min([result.own.sharpe for result in windows])),
        "closed_sharpe": claim.closed_sharpe,
        "rejected_entries": claim.rejected,
        "windows": windows,
        "pairs": _pairs(strategy, arena, book),
        "daily_returns": tuple(map(float, returns)),
    }


def account(strategy: Strategy, arena: EvaluationContext) -> Account:
    """Returns what the strategy bought and sold in the search range, and what came of it. Raises StrategyError."""
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


def judged(earned: Earned, strategy: Strategy, arena: EvaluationContext, *, deeper: bool = True) -> dict[str, Any]:
    """
    Returns fields of the Result, with the evidence of all trials. If every other gate says yes, adds the full check and
    the answer of the validation window; after an interruption (`deeper` is false) asks nothing any more. Raises
    StrategyError.
    """
    started, fields, limits = time.perf_counter(), earned.figures, arena.settings.gates
    evidence, why, validation = against_all(arena, strategy.sha256, np.array(fields["daily_returns"])), NO_GATE, None
    if all(gate.passed for gate in fields["gates"]) and evidence.dsr >= limits.min_dsr:
        fields, why, validation = _deeper(earned, strategy, arena) if deeper else (fields, INTERRUPTED, None)
    look = Look(why=why) if validation is None else arena.trials.look(validation, arena.settings.ladder_step)
    seconds = fields["seconds"] + time.perf_counter() - started
    return {
        **fields,
        "evidence": evidence,
        "look": look,
        "gates": (*fields["gates"], *gates.evidence(evidence, look, limits)),
        "seconds": seconds,
    }


def case_of(strategy: Strategy, arena: EvaluationContext, made: Account) -> Case:
    """Returns what the checks of causality ask about."""
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
    """Returns the 95 % interval of the annualised Sharpe, the same in every call; nan if there are too few days."""
    try:
        return significance.sharpe_interval(returns, np.random.default_rng(int(strategy.sha256[:16], 16)))
    except SampleError:
        return math.nan, math.nan


def _scrutinised(
    strategy: Strategy, arena: EvaluationContext, booked: Account, fields: dict[str, Any]
) -> dict[str, Any]:
    """
    Runs the checks beyond the account and returns them with the gates that follow, by field of the Result. Raises
    CausalityError or DeterminismError, or LimitError.

    Nobody knows the instants of causality, and they change, because a strategy could dodge what it foresees. The checks
    run one after another: while a strategy is asked without its future, no other worker of it has it.
    """
    case, own = case_of(strategy, arena, booked), fields["own"]
    depth, rng = "full" if arena.causality == "full" else "quick", np.random.default_rng(secrets.randbits(128))
    progress.step(strategy.name, f"causality, {depth}")
    handed = _in_full(case, arena, rng) if depth == "full" else schedule.quick(case, rng)
    checks = Checks(
        causality=depth,
        optimistic_fills=_wishful(case, arena, handed),
        hidden_loss=metrics.hidden_loss(arena.market, booked.book),
        top_share=metrics.top_share(booked.book.trades),
        pair_share=metrics.pair_share(booked.book.trades),
        replay=booked.engine.replay,
    )
    if "relabel" not in fields["skipped"]:
        progress.step(strategy.name, "relabel")
        relabelled = relabelling.relabel(case, np.random.default_rng(_seed(case)), own.sharpe)
        loss = max(0.0, 1 - relabelled / own.sharpe) if own.sharpe > 0 else 0.0 if own.sharpe <= 0 else math.nan
        checks = replace(checks, relabel_sharpe=relabelled, relabel_loss=loss)
    return _concluded(strategy, arena, booked, fields, checks)


def _concluded(
    strategy: Strategy, arena: EvaluationContext, booked: Account, fields: dict[str, Any], checks: Checks
) -> dict[str, Any]:
    """Returns what follows from the engine and the checks, by field of the Result."""
    engine = booked.engine
    return {
        "engine": engine.name,
        "engine_note": engine.note,
        "warnings": hints.warnings(booked.claim, booked.book, arena.settings, engine.differs),
        "checks": checks,
        "gates": _gates(strategy, arena, fields, checks),
    }


def _gates(
    strategy: Strategy, arena: EvaluationContext, fields: dict[str, Any], checks: Checks
) -> tuple[GateResult, ...]:
    skipped = fields.get("skipped", ())
    return gates.judge(
        fields["own"], fields["windows"], checks, arena.settings.gates, n_pairs=len(strategy.pairs), skipped=skipped
    )


def _deeper(earned: Earned, strategy: Strategy, arena: EvaluationContext) -> tuple[dict[str, Any], str, float | None]:
    """
    Asks what must be asked before the strategy counts: the full check, FreqTrade's loop over the whole range, and the
    validation window. Returns the fields, the reason if the window is not asked, and its annualised Sharpe, a secret
    that only the trusted process may hold; None if it is not asked. Raises StrategyError.
    """
    fields, settings = earned.figures, arena.settings
    if arena.causality == "quick":
        return fields, "only what passed the full check of causality is asked", None
    booked = earned.made or _again(earned, strategy, arena)
    case, checks = case_of(strategy, arena, booked), fields["checks"]
    progress.step(strategy.name, "causality, full")
    if checks.causality != "full":
        handed = schedule.full(case, np.random.default_rng(secrets.randbits(128)))
        checks = replace(
            checks, causality="full", optimistic_fills=max(checks.optimistic_fills, _wishful(case, arena, handed))
        )
    if booked.claim.stretch is not None and not arena.thorough and (difference := _unlike(case, arena)):
        booked, checks = (
            booked._replace(engine=booked.engine._replace(note=difference, replay="differs")),
            replace(checks, replay="differs"),
        )
    fields = {**fields, **_concluded(strategy, arena, booked, fields, checks)}
    if not all(gate.passed for gate in fields["gates"]):
        return fields, NO_GATE, None
    if settings.validation is None:
        return fields, "there is no validation window", None
    progress.step(strategy.name, "validation")
    context.begin_look(arena, strategy)
    rng = np.random.default_rng(secrets.randbits(128))
    return (
        fields,
        "",
        fixed_duration.asked(case, settings.validation.end_ms, lambda timed: schedule.validation_sharpe(timed, rng)),
    )


def _again(earned: Earned, strategy: Strategy, arena: EvaluationContext) -> Account:
    """Computes the account of a strategy that was evaluated elsewhere. Raises DeterminismError if it differs here."""
    booked = account(strategy, arena)
    if measured(strategy, arena, booked)["daily_returns"] != earned.figures["daily_returns"]:
        raise DeterminismError("determinism: two fresh runs with the same candles make other trades")
    return booked


def _in_full(case: Case, arena: EvaluationContext, rng: np.random.Generator) -> dict[str, Finding]:
    """
    Runs the full check. If the run goes on into ranges that nobody may know, checks each of them by itself; decisions
    before them must be the same as without them.
    """
    if arena.before is None:
        return schedule.full(case, rng)
    earlier, known_end_ms = arena.before, arena.before.settings.search.end_ms
    booked = account(case.strategy, earlier)
    before = case_of(case.strategy, earlier, booked)
    schedule.unchanged(before, case)
    handed = schedule.full(case, rng, until_ms=known_end_ms)
    for window in arena.settings.windows:
        if window.start_ms >= known_end_ms:
            handed |= schedule.hidden(case, rng, window.start_ms, window.end_ms)
    if not schedule.wishful(before, case, handed) <= arena.settings.gates.max_optimistic_fills:
        raise StrategyError(WISHFUL)
    return handed


def _wishful(case: Case, arena: EvaluationContext, handed: dict[str, Finding]) -> float:
    """
    Returns the share of the profit that rests on wishful fills. Exits that were decided with their candle's high and
    low, which the trade holds, are foresight if the profit rests on them. Raises CausalityError then.
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
    Returns the seed of the relabelled market: the same in every evaluation of this source under this contract, and
    unknown to anyone who does not know the candles of the validation window.
    """
    beyond, _ = case.beyond()
    digest = hashlib.sha256(case.strategy.sha256.encode())
    for pair in sorted(beyond):
        digest.update(np.ascontiguousarray(beyond[pair]).tobytes())
    return int.from_bytes(digest.digest()[:16])


def _unlike(case: Case, arena: EvaluationContext) -> str:
    """
    Returns the first difference between the replay's orders and FreqTrade's own loop over the whole range; empty if
    there is none.
    """
    claim = client.backtest(
        case.strategy, case.settings, client.Task("backtest", case.settings.search, case.markets), case.tables
    )
    return inputs.difference(case.claim.orders, claim.orders, arena.market)


def as_of_now(known: Result, arena: EvaluationContext) -> Result:
    """Returns an answer from the ledger with today's evidence: each trial since then raises the line."""
    returns = arena.trials.returns.get(known.sha256)
    if known.error or returns is None:
        return known
    evidence = against_all(arena, known.sha256, returns)
    earned = tuple(gate for gate in known.gates if gate.gate not in gates.EVIDENCE)
    return replace(
        known, evidence=evidence, gates=(*earned, *gates.evidence(evidence, known.look, arena.settings.gates))
    )


def against_all(arena: EvaluationContext, sha256: str, returns: NDArray[np.float64]) -> Evidence:
    """Compares this trial with all that were begun or announced on the same candles, under whatever contract."""
    trials = arena.trials
    placed = trials.placed(sha256, len(returns))
    evidence = selection_bias.evidence(
        returns, [returns, *trials.others(sha256), *placed.whole], trials.count(sha256), placed.filled
    )
    why = ""
    if math.isnan(evidence.dsr):
        why = (
            "one trial alone has nothing to be compared with"
            if evidence.trials < 2
            else "too few days, or daily returns that do not vary"
        )
    return Evidence(**evidence._asdict(), other_contracts=trials.elsewhere(sha256), why=why)


def _pairs(strategy: Strategy, arena: EvaluationContext, book: Book) -> tuple[PairResult, ...]:
    results = []
    for pair in strategy.pairs:
        p = arena.settings.pairs.index(pair)
        figures = metrics.trade_figures([trade for trade in book.trades if trade.pair == pair])
        profit = float(book.pair_profit[p, -1] / arena.settings.wallet)
        results.append(PairResult(pair=pair, profit=profit, hold_profit=arena.pair_hold[p], **figures))
    return tuple(results)
