"""
Writes results for FreqTrade's own tools to `user_data/backtest_results/`, as `freqtrade backtesting --export trades`
does.

Orders and trades are the account's, booked or replayed here. FreqTrade computes its own figures from them in
`arena.reports.freqtrade_export_process`, a process that loads no strategy, and refuses if its profit is not the booked
one. What FreqTrade calls Sharpe is of closed trades.
"""

import hashlib
import json
import os
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from arena.errors import ArenaError, StrategyError
from arena.evaluation.context import EvaluationContext
from arena.records import Result
from arena.reports import accounts
from arena.reports.accounts import Shown
from arena.sandbox import transport
from arena.sandbox.confinement import walls
from arena.startup import isolation
from arena.text import printable

FOLDER = Path("user_data", "backtest_results")
SECONDS = 300
"""Seconds after which the other process is given up; it takes about five."""


def export(results: list[Result], files: list[Path], arena: EvaluationContext) -> tuple[list[str], bool]:
    """
    Writes one file with every strategy that was evaluated and is no failure. Returns lines that say what was written
    and what was not, and whether some strategy has other figures than its block.

    Raises ArenaError when nothing can be written.
    """
    shown: list[tuple[Result, Shown]] = []
    lines, differs = [], False
    for result, file in zip(results, files, strict=True):
        try:
            shown.append((result, accounts.again(result, file, arena)))
        except StrategyError as error:
            differs |= not result.error
            lines.append(f"export: {printable(result.strategy)} is not exported: {printable(str(error))}")
    if shown:
        name = _write([_strategy(result, entry, arena) for result, entry in shown], arena)
        lines.append(f"export: {FOLDER / name} has {', '.join(result.strategy for result, _ in shown)}")
    return lines, differs


def _strategy(result: Result, shown: Shown, arena: EvaluationContext) -> dict[str, Any]:
    claim, book = shown.account.claim, shown.account.book
    return {
        "strategy": result.strategy,
        "source": shown.strategy.source,
        "pairs": shown.strategy.pairs,
        "startup": claim.startup,
        "parameters": claim.decisions.parameters,
        "ticks": arena.ticks(claim.startup),
        "rejected": claim.rejected,
        "trades": [asdict(deal) for deal in shown.deals],
        "equity_ms": arena.market.open_ms.tolist(),
        "equity": book.equity_open.tolist(),
        # never FreqTrade's own id: FreqTrade would take this result for one that it has computed itself
        "run_id": hashlib.sha1(f"{result.contract} {result.sha256}".encode()).hexdigest(),
        "notes": f"Touchstone, contract {result.contract[:8]}, commit {result.commit}, engine {result.engine}, sharpe "
        f"marked to market {result.own.sharpe:.4f}",
    }


def _write(strategies: list[dict[str, Any]], arena: EvaluationContext) -> str:
    """Returns the name of the file. Raises ArenaError."""
    settings = arena.settings
    request = {
        "folder": str(settings.root / FOLDER),
        "now": int(time.time()),
        "config": settings.raw | {"dry_run_wallet": settings.wallet},
        "timerange": f"{settings.search.start:%Y%m%d}-{settings.search.end:%Y%m%d}",
        "step_ms": settings.step_ms,
        "fee": settings.fee,
        "precision": {pair: arena.markets[pair]["precision"] for pair in settings.pairs},
        "strategies": strategies,
    }
    text = json.dumps(request, default=_plain).encode()
    data = transport.LENGTH.pack(len(text)) + text + transport.encode(arena.tables)
    command = isolation.program(
        "import runpy; runpy.run_module('arena.reports.freqtrade_export_process', run_name='__main__', alter_sys=True)"
    )
    try:
        process = subprocess.run(
            command,
            input=data,
            capture_output=True,
            cwd=walls.REPOSITORY,
            env=isolation.environment(os.environ),
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ArenaError(
            f"FreqTrade did not write its result within {SECONDS} s. Evaluate fewer strategies at a time."
        ) from None
    if process.returncode:
        why = process.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise ArenaError(f"FreqTrade could not write {FOLDER}: {printable(why[-1])}")
    return process.stdout.decode().strip().splitlines()[-1]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain data")
