"""
Shows one strategy in detail, for a person who debugs by hand: every trade, and what became of the entry signals that
made none.

A file outside the repository is evaluated without the ledger: no trial, no evidence, no verdict, and no candle of the
validation window.
"""

from pathlib import Path

import pandas as pd

from arena.accounting.trades import TradeView
from arena.errors import StrategyError, when
from arena.evaluation.context import EvaluationContext
from arena.records import Result
from arena.reports import accounts, rejected_signals
from arena.settings import Compute, Settings
from arena.text import printable

EXAMPLES = 3
"""Number of signals that are named for each reason."""


def beside(settings: Settings) -> Settings:
    """Returns the settings for a file that is not recorded: no validation window, and no other machine."""
    return settings.model_copy(update={"validation": None, "compute": Compute()})


def shown(result: Result, file: Path, arena: EvaluationContext) -> str:
    """
    Returns trades and refused signals of a result as text. A failure has none, and an account that differs from its
    block is not shown.
    """
    try:
        _, account, deals = report = accounts.again(result, file, arena)
    except StrategyError as error:
        return f"trades: not shown: {printable(str(error))}\n"
    settings = arena.settings
    refusals = rejected_signals.refused(
        account.claim, deals, report.strategy, arena.market, arena.tables, settings.max_open_trades
    )
    lines = [f"trades: {len(deals)} closed; times in UTC, money in {settings.stake_currency}", _table(deals)]
    n_signals = sum(map(len, refusals.values())) + len(deals)
    lines.append(f"entry signals: {n_signals}, of them {len(deals)} became a trade, {n_signals - len(deals)} did not:")
    for reason, refused in refusals.items():
        if refused:
            examples = ", ".join(f"{pair} {when(ms)}" for pair, ms in refused[:EXAMPLES])
            lines.append(f"  {len(refused)}: {reason}; {'for example ' if len(refused) > EXAMPLES else ''}{examples}")
    return "\n".join([*lines, ""])


def _table(deals: tuple[TradeView, ...]) -> str:
    rows = [
        {
            "pair": deal.pair,
            "opened": when(deal.opened_ms),
            "closed": when(deal.closed_ms),
            "open_rate": f"{deal.open_rate:.8g}",
            "close_rate": f"{deal.close_rate:.8g}",
            "stake": f"{deal.stake:.2f}",
            "profit": f"{deal.profit:.2f}",
            "profit_pct": f"{100 * deal.profit_ratio:.2f}",
            "orders": len(deal.fills),
            "exit_reason": printable(deal.exit_reason, 40),
            "enter_tag": printable(deal.enter_tag or "", 40),
        }
        for deal in deals
    ]
    return pd.DataFrame(rows).to_string(index=False)
