"""
Decides where an account comes from: a replay of the strategy's signals, and of its shares of stakes, if they fully
describe it, checked against FreqTrade's loop in the worker; the worker's orders otherwise.
"""

import secrets
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from arena.accounting.replay import inputs
from arena.accounting.replay.inputs import NotReplayable, ReplaySpec
from arena.accounting.replay.simulator import Replayed
from arena.checks import schedule
from arena.decisions import STAKE
from arena.errors import StrategyError
from arena.evaluation.context import EvaluationContext
from arena.records import Claim, Market, Orders, Strategy
from arena.sandbox import client
from arena.stats import metrics

REPLAY, BOOKING = "replay=freqtrade", "booking"
STRETCH, STRETCH_DAYS = 0.1, 60
"""
Share of the range, and fewest days, over which FreqTrade's loop runs next to every replay. Before validation it runs
over all of it.
"""


class Engine(NamedTuple):
    """What the account comes from."""

    orders: Orders
    name: str  # REPLAY or BOOKING
    note: str  # why it is not a replay
    replay: str  # as in Checks
    # to replay again, if signals and parameters describe everything, perhaps with shares of stakes
    described: ReplaySpec | None = None
    trades: Replayed | None = None

    @property
    def differs(self) -> str:
        """Says where the replay differs from FreqTrade's loop."""
        return self.note if self.replay == "differs" else ""


def claimed(strategy: Strategy, arena: EvaluationContext) -> tuple[Claim, Engine]:
    """
    Returns what a worker claims, with the orders that are booked. If signals describe everything, FreqTrade's loop runs
    over a stretch that nobody can foresee; if they turn out not to, or the loop makes other trades, over everything.
    """
    stretch = (
        (int(arena.market.open_ms[0]), int(arena.market.open_ms[-1])) if arena.thorough else _stretch(arena.market)
    )
    task = client.Task("backtest", arena.settings.search, arena.markets, stretch=stretch)
    claim = _with_shares(strategy, arena, client.backtest(strategy, arena.settings, task, arena.tables))
    engine = engine_of(strategy, arena, claim)
    if engine.described is None and claim.stretch is not None:
        claim = client.backtest(strategy, arena.settings, replace(task, stretch=None), arena.tables)
        engine = (
            engine_of(strategy, arena, claim) if engine.replay != "differs" else engine._replace(orders=claim.orders)
        )
    if engine.trades is not None and engine.described is not None:
        first, last = (int(arena.market.open_ms[k]) for k in inputs.span(engine.described.course))
        closed = metrics.closed_sharpe(engine.trades.profit, arena.settings.wallet, (last - first) // metrics.DAY_MS)
        claim = replace(claim, rejected=engine.trades.rejected, closed_sharpe=closed)
    return replace(claim, orders=engine.orders), engine


def _stretch(market: Market) -> tuple[int, int]:
    """Returns the open times of the candle before the first that is simulated, and of the last."""
    n = len(market.open_ms)
    length = min(max(int(STRETCH * n), STRETCH_DAYS * metrics.DAY_MS // market.step_ms), n - 1)
    first = secrets.randbelow(n - length)
    return int(market.open_ms[first]), int(market.open_ms[first + length])


def engine_of(strategy: Strategy, arena: EvaluationContext, claim: Claim) -> Engine:
    """Returns the replay's orders if it represents the strategy and agrees with FreqTrade's loop, else the worker's."""
    settings, market = arena.settings, arena.market
    deciding = schedule.callbacks(claim)
    if deciding == (STAKE,) and claim.decisions.stakes is not None:
        return _sized(strategy, arena, claim)
    if deciding:
        often = ", too often to ask for each stake" if deciding == (STAKE,) else ""
        return Engine(claim.orders, BOOKING, f"decided on the way by {', '.join(deciding)}{often}", "")
    try:
        described = inputs.described(
            strategy, settings, arena.tables, market, arena.markets, arena.ticks(claim.startup), claim.decisions
        )
        trades = compared = inputs.replayed(described, settings, claim.decisions)
        if claim.stretch is not None:
            compared = inputs.replayed(inputs.part(described, market, *claim.stretch), settings, claim.decisions)
    except NotReplayable as reason:
        return Engine(claim.orders, BOOKING, str(reason), "")
    if difference := inputs.difference(inputs.orders(compared, market), claim.orders, market):
        return Engine(claim.orders, BOOKING, difference, "differs")
    return Engine(inputs.orders(trades, market), REPLAY, "", "agrees", described, trades=trades)


def _sized(strategy: Strategy, arena: EvaluationContext, claim: Claim) -> Engine:
    """
    Like `engine_of`, when custom_stake_amount is the only callback that decides: a replay with its shares of the
    proposed stake, unclamped or clamped by the strategy, if it makes FreqTrade's orders. Other stakes are as honest, so
    a difference is no finding.
    """
    assert claim.decisions.stakes is not None
    settings, market, why = arena.settings, arena.market, inputs.NO_SHARE
    all_known = not any(np.isnan(stakes.scale).any() for stakes in claim.decisions.stakes.values())
    try:
        described = inputs.described(
            strategy, settings, arena.tables, market, arena.markets, arena.ticks(claim.startup), claim.decisions
        )
    except NotReplayable as reason:
        return Engine(claim.orders, BOOKING, str(reason), "")
    for clamp in (False, True):
        described = described._replace(rules=described.rules._replace(clamp=clamp))
        try:
            trades = inputs.replayed(described, settings, claim.decisions)
        except NotReplayable as reason:
            why = str(reason) if all_known else inputs.NO_SHARE
            continue
        if not inputs.difference(orders := inputs.orders(trades, market), claim.orders, market):
            return Engine(orders, REPLAY, "", "agrees", described, trades=trades)
    return Engine(claim.orders, BOOKING, why, "")


def _with_shares(strategy: Strategy, arena: EvaluationContext, claim: Claim) -> Claim:
    """
    Returns the claim with the shares of stakes from a worker in which FreqTrade's loop never runs, if
    custom_stake_amount is the only callback that decides.
    """
    if schedule.callbacks(claim) != (STAKE,):
        return claim
    search = arena.settings.search
    task = client.Task("look", search, arena.markets, ticks=arena.ticks(claim.startup))
    try:
        whole = [[search.start_ms, search.end_ms]]
        decisions = client.look(strategy, arena.settings, task, arena.tables, since_ms=search.start_ms, stakes=whole)
    except StrategyError:
        decisions = None
    return replace(claim, decisions=replace(claim.decisions, stakes=decisions.stakes if decisions else None))
