"""
FreqTrade's own candle loop against the replay, in one process, on the same rows: the replay's examples and a few
strategies of tests/parity.py, five pairs of hourly candles over five years.

Timed is FreqTrade's loop alone, unchanged, after its frames have become lists, and one replay after the first. Prints a
line for each strategy and the median ratio.

Usage: uv run bench/loop.py [--from DIR_OF_CANDLES] [--years N]    (default: a sample market, five years)
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pandas as pd
import parity

from arena.accounting.replay import simulator
from arena.market import candles
from arena.preparation.sources.synthetic import SampleSource

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT")
EXAMPLES = ("MeanRevRsi", "TrendDonchian")
CASES = {
    "signals": {"enter": 0.002, "leave": 0.005},
    "stop and target": {"enter": 0.002, "leave": 0.0, "stoploss": -0.05, "minimal_roi": {"0": 0.05, "600": 0.02}},
    "trailing": {
        "enter": 0.002,
        "leave": 0.0,
        "stoploss": -0.05,
        "trailing_stop": True,
        "trailing_stop_positive": 0.01,
        "trailing_stop_positive_offset": 0.02,
    },
    "many trades": {"enter": 0.02, "leave": 0.02, "stoploss": -0.05, "minimal_roi": {"0": 0.05, "600": 0.02}},
}
"""Attributes of parity's strategy, whose signals are drawn by a coin."""
FIRST, LAST = 2021, 2025
REPLAYS = 30


class Bench(parity.Bench):
    """Parity's FreqTrade on one folder of candles."""

    def data(self, case: parity.Case) -> Path:
        return self.folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="path", type=Path, help="folder of hourly candles, BTC_USDT-1h.feather …")
    parser.add_argument("--years", type=int, default=5, help="from 2021 on, at most five")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as made:
        folder = Path(made, "candles")
        folder.mkdir()
        _candles(folder, options.path)
        timerange = f"{FIRST}0101-{min(FIRST + options.years, LAST + 1)}0101"
        cases = {
            name: parity.Case(strategy, {"max_open_trades": 5}, timerange=timerange) for name, strategy in CASES.items()
        }
        parity.CASES |= cases
        bench = Bench(folder, Path(made), list(cases))
        for name in EXAMPLES:
            shutil.copy(ROOT / "examples" / f"{name}.py", Path(made, "strategies"))
        asked = {name: (parity.Case(config={"max_open_trades": 5}, timerange=timerange), name) for name in EXAMPLES}
        asked |= {name: (case, f"Case{k}") for k, (name, case) in enumerate(cases.items())}
        print(f"{'':18}{'trades':>8}{'loop s':>10}{'replay ms':>12}{'ratio':>9}")
        ratios = []
        for name, (case, strategy) in asked.items():
            trades, loop, ours = timed(bench, case, strategy)
            ratios.append(loop / ours)
            print(f"{name:18}{trades:>8}{loop:>10.2f}{ours * 1e3:>12.2f}{ratios[-1]:>9.0f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.0f}")


def timed(bench: Bench, case: parity.Case, name: str) -> tuple[int, float, float]:
    """Number of trades, seconds of FreqTrade's loop, seconds of a replay."""
    rows: dict[str, list[Any]] = {}
    frames: dict[str, Any] = {}
    begun = [0.0]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        made = bench.backtesting(case, name)
        made.progress, made._is_backtest_runmode = None, False
        as_lists = made._get_ohlcv_as_lists

        def noted(processed: dict[str, Any]) -> dict[str, Any]:
            rows.update(as_lists(processed))
            frames.update(processed)
            begun[0] = time.perf_counter()
            return rows

        made._get_ohlcv_as_lists = noted
        data, timerange = made.load_bt_data()
        made.backtest_one_strategy(made.strategylist[0], data, timerange)
        loop = time.perf_counter() - begun[0]
        course, _ = parity.course_of(made, rows, frames)
        rules = parity.rules_of(made)
    account = simulator.account(10_000, 0.99, None, 5, made.fee)
    if why := simulator.refusal(course, account, rules):
        raise SystemExit(f"{name}: {why}")
    room = simulator.Room.of(course)
    n = simulator.replay_into(course, account, rules, room)
    theirs = len(made.all_bt_content[made.strategy.get_strategy_name()]["results"])
    if n != theirs:
        raise SystemExit(f"{name}: {n} trades in the replay, {theirs} in FreqTrade's loop")
    return (
        n,
        loop,
        statistics.median(
            _seconds(lambda: simulator.replay_into(course, account, rules, room)) for _ in range(REPLAYS)
        ),
    )


def _seconds(job: Any) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def _candles(folder: Path, source: Path | None) -> None:
    """Feather files by pair and timeframe, and markets.json."""
    sample, span = (
        SampleSource("market", 0),
        (datetime(FIRST - 1, 1, 1, tzinfo=UTC), datetime(LAST + 1, 1, 1, tzinfo=UTC)),
    )
    for pair in PAIRS:
        name = pair.replace("/", "_")
        frame = pd.read_feather(source / f"{name}-1h.feather") if source else sample.candles(pair, "1h", *span)
        for timeframe in ("1h", "4h", "1d"):
            (frame if timeframe == "1h" else candles.resample(frame, timeframe)).to_feather(
                folder / f"{name}-{timeframe}.feather"
            )
    (folder / "markets.json").write_text(json.dumps(sample.markets(PAIRS)))


if __name__ == "__main__":
    main()
