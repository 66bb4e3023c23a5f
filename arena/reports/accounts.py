"""Computes a strategy's account again, for people who want to see its trades: the ledger has figures but no orders."""

import hashlib
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena.accounting import trades
from arena.accounting.trades import TradeView
from arena.errors import DeterminismError, StrategyError
from arena.evaluation import figures
from arena.evaluation.context import EvaluationContext
from arena.evaluation.figures import Account
from arena.ledger import strategy_files
from arena.records import Result, Strategy
from arena.stats import metrics


class Shown(NamedTuple):
    """An account that has the same figures as its block, and its trades."""

    strategy: Strategy
    account: Account
    deals: tuple[TradeView, ...]  # in the order of their closes


def again(result: Result, file: Path, arena: EvaluationContext) -> Shown:
    """
    Runs the strategy of a result over the search range again. It is no trial, and does not ask the validation window.

    Raises
    ------
    StrategyError
        The result is a failure, the file has changed since, or its account differs from the result.
    """
    if result.error:
        raise StrategyError("it failed")
    data = strategy_files.read(file)
    if hashlib.sha256(data).hexdigest() != result.sha256:
        raise StrategyError("the file has changed since it was evaluated")
    strategy = strategy_files.examine(file, arena.settings, data)
    account = figures.account(strategy, arena)
    own = metrics.measure(arena.market, account.book, arena.settings.search, last=True)
    if not np.array_equal(astuple(own), astuple(result.own), equal_nan=True):
        raise DeterminismError(
            f"its figures are others when it runs again: sharpe {own.sharpe:.4f} over {own.trades} trades, "
            f"the block has {result.own.sharpe:.4f} over {result.own.trades}"
        )
    return Shown(strategy, account, trades.deals(account.claim, account.book, arena.market, arena.settings.fee))
