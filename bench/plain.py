"""
FreqTrade as other projects call it: `Backtesting(config).start()` per strategy and window, offline, one after the
other.

Prints JSON: seconds after all imports, and trades and profit of each run. The yardstick of bench/speed.py and the
tests.

Usage, in a prepared arena: python bench/plain.py 20210101-20220101 20220101-20230101 [--only STRATEGY ...]
"""

import argparse
import contextlib
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import rapidjson
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting

BOOK = {"price_side": "other", "use_order_book": False, "order_book_top": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("timeranges", nargs="+")
    parser.add_argument("--only", nargs="+", help="strategies (default: all)")
    parser.add_argument(
        "--export", metavar="FOLDER", help="where FreqTrade's own results go, a folder a strategy (default: nowhere)"
    )
    options = parser.parse_args()
    files = [f for f in sorted(Path("user_data/strategies").glob("*.py")) if not options.only or f.stem in options.only]
    started = time.perf_counter()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        runs = [
            run(file.stem, file.parent, timerange, export=options.export)
            for file in files
            for timerange in options.timeranges
        ]
    print(json.dumps({"seconds": time.perf_counter() - started, "runs": runs}))


def run(
    strategy: str, folder: Path, timerange: str, pairs: list[str] | None = None, export: str | None = None
) -> dict[str, Any]:
    """One plain backtest in the prepared arena of the current directory."""
    markets = json.loads(Path("user_data/data/markets.json").read_text())

    def load(self: Exchange, reload: bool = False) -> None:
        self._api_async.set_markets(list(markets.values()))

    Exchange._load_async_markets = load
    raw = rapidjson.loads(
        Path("config.json").read_text(), parse_mode=rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS
    )
    raw |= {"dry_run": True, "entry_pricing": BOOK, "exit_pricing": BOOK, "pairlists": [{"method": "StaticPairList"}]}
    if pairs:
        raw["exchange"]["pair_whitelist"] = pairs
    if export:
        Path(export, strategy).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "config.json").write_text(json.dumps(raw))
        arguments = {
            "config": [str(Path(scratch, "config.json"))],
            "user_data_dir": scratch,
            "datadir": "user_data/data",
            "strategy": strategy,
            "strategy_path": str(folder),
            "timerange": timerange,
            "export": "trades" if export else "none",
            "exportdirectory": Path(export, strategy) if export else None,
            "exportfilename": None,
            "cache": "none",
        }
        config = Configuration(arguments, RunMode.BACKTEST).get_config()
        logging.disable(logging.WARNING)
        backtesting = Backtesting(config)
        backtesting.start()
    figures = backtesting.results["strategy"][strategy]
    return {
        "strategy": strategy,
        "timerange": timerange,
        "trades": figures["total_trades"],
        "profit": float(figures["profit_total_abs"]),
        "sharpe": float(figures["sharpe"]),
    }


if __name__ == "__main__":
    main()
