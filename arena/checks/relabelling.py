"""Runs the strategy in another market: the same one under other names, or candles that go on."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from arena.accounting import booking
from arena.accounting.replay import inputs
from arena.checks import lookahead, relabelled_market
from arena.checks.lookahead import Case
from arena.decisions import Decisions
from arena.errors import StrategyError
from arena.market import candle_tables, scenarios
from arena.market.candles import utc
from arena.records import Market, Orders, Window
from arena.sandbox.client import Task, backtest
from arena.settings import Settings
from arena.stats import gates, metrics


def relabel(case: Case, rng: np.random.Generator, own: float = np.nan) -> float:
    """
    Returns the Sharpe over the search range in the relabelled market; 0 if nothing is left of the strategy there: no
    trade, or a new error. If the gate would fail a strategy whose Sharpe is `own`, asks two more such markets: one draw
    may go against an honest rule, but not two of three.
    """
    return middle(lambda: _renamed(case, rng), own, case.settings.gates.max_relabel_loss)


def middle(ask: Callable[[], float], own: float, most: float) -> float:
    """
    Returns one answer, or the median of three if the first loses more than the share `most` of a Sharpe that is high
    enough for the gate.
    """
    sharpes = [ask()]
    if own >= gates.LOW_SHARPE and not 1 - sharpes[0] / own <= most:
        sharpes += [ask(), ask()]
    return float(np.median(sharpes))


def _renamed(case: Case, rng: np.random.Generator) -> float:
    settings = case.settings
    world = relabelled_market.relabelled(case.tables, case.ticks, settings.search, settings.step_ms, rng)
    counted = moved(settings.search, world.shift_ms, world.shift_ms)
    window = moved(settings.search, world.shift_ms - world.early_ms, world.shift_ms + world.late_ms)
    limited = longer(settings, (window.end_ms - window.start_ms) / (counted.end_ms - counted.start_ms))
    tables = scenarios.cut(world.tables, None, window.end_ms + 1)  # FreqTrade's loop ends where the candles do
    try:
        sharpe = _sharpe(replace(case, settings=limited), tables, world.ticks, window, counted)
    except StrategyError:
        return 0.0
    return 0.0 if np.isnan(sharpe) else sharpe


def _sharpe(case: Case, tables: candle_tables.Tables, ticks: scenarios.Ticks, window: Window, counted: Window) -> float:
    """
    Returns the Sharpe in `counted` of the account over `window` in another market; nan without a trade. Raises
    StrategyError.
    """
    settings, market = case.settings, candle_tables.market(tables, case.settings, window)
    replayed, claim = replay(case, tables, market, ticks, window), None
    if replayed is not None:
        orders, _ = replayed
    else:
        claim = backtest(case.strategy, settings, Task("backtest", window, case.markets, ticks=ticks), tables)
        orders = claim.orders
    if not len(orders.price):
        return float("nan")
    book = booking.book(market, orders, wallet=settings.wallet, fee=settings.fee, slots=settings.max_open_trades)
    if claim is not None:
        booking.reconcile(book, claim)
    return metrics.measure(market, book, counted, last=True).sharpe


def replay(
    case: Case, tables: candle_tables.Tables, market: Market, ticks: scenarios.Ticks, window: Window
) -> tuple[Orders, Decisions] | None:
    """
    Returns a replay's orders and the decisions behind them; None if it does not represent the strategy in this market.
    """
    if case.described is None:
        return None
    decisions = lookahead.populated(case, tables, window, ticks)
    if case.described.rules.sized and decisions.stakes is None:
        return None
    try:
        description = inputs.described(case.strategy, case.settings, tables, market, case.markets, ticks, decisions)
        description = description._replace(rules=description.rules._replace(clamp=case.described.rules.clamp))
        return inputs.orders(inputs.replayed(description, case.settings, decisions), market), decisions
    except inputs.NotReplayable:
        return None


def longer(settings: Settings, times: float) -> Settings:
    """Returns settings with limits for a range that is `times` as long."""
    limits = {name: math.ceil(times * getattr(settings.limits, name)) for name in ("seconds", "output_kb")}
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})


def moved(window: Window, start_ms: int, end_ms: int) -> Window:
    """Returns the range with its start and its end moved by these amounts."""
    return Window(window.name, utc(window.start_ms + start_ms), utc(window.end_ms + end_ms))
