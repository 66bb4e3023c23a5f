"""Real candles: the arena's figures are FreqTrade's own, in arenas of every sensible shape."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from arenas import ROOT, evaluated, prepared, sampled, strategy

from arena.evaluation import batch, context
from arena.ledger import strategy_files
from arena.sandbox import client

ONE = {"windows": {"all": "20230101-20251231"}, "warmup_from": "20220101", "validation": None, "holdout": None}
FIVE = {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT"]}
SPY = {"name": "binance", "pair_whitelist": ["SPY/USD"]}
ARENAS = {
    "two pairs, one window": {"arena": ONE},
    "warm-up starts at the window": {"arena": ONE | {"warmup_from": "20230101"}},
    "late listings": {
        "exchange": FIVE,
        "max_open_trades": 5,
        "arena": ONE | {"warmup_from": "20200101", "windows": {"a": "20200401-20210401"}},
    },
    "slots bind": {
        "exchange": FIVE,
        "max_open_trades": 2,
        "arena": ONE | {"warmup_from": "20201001", "windows": {"a": "20210101-20220101"}},
    },
    "fixed stake, other fee and wallet": {"stake_amount": 250, "fee": 0.00075, "dry_run_wallet": 1000, "arena": ONE},
    "no limit of slots": {"exchange": FIVE, "stake_amount": 100, "max_open_trades": -1, "arena": ONE},
    "four hours": {"timeframe": "4h", "arena": ONE | {"informative_timeframes": ["1d"]}},
    "days": {"timeframe": "1d", "arena": ONE | {"informative_timeframes": ["1w"]}},
    "other informative timeframes": {"arena": ONE | {"informative_timeframes": ["2h", "12h"]}},
    "daily equities": {
        "exchange": SPY,
        "stake_currency": "USD",
        "timeframe": "1d",
        "arena": {
            "windows": {"nineties": "19940103-20000101", "decade": "20000101-20100101"},
            "warmup_from": "19930129",
            "validation": "20100101-20200101",
            "holdout": "20200101-20260101",
            "informative_timeframes": ["1w"],
        },
    },
}
HIGHER = (
    "from freqtrade.strategy import informative\n@informative('{timeframe}')\ndef higher(self, dataframe, metadata):\n"
    "    dataframe['ema'] = ta.EMA(dataframe, timeperiod=10)\n    return dataframe\ntimeframe = '{base}'\nstoploss = "
    "-0.04\n"
    "minimal_roi = {{'0': 0.08, '2880': 0.02}}"
)


def arena_of(folder: Path, name: str, market_data: Path):
    changes = ARENAS[name]
    equities = "equities" in name
    source = {"kind": "files", "path": str(market_data / ("equities" if equities else "spot"))}
    settings = prepared(folder, source, **changes)
    base, higher = settings.timeframe, settings.informative_timeframes[-1]
    strategy(settings, "Cross", extra=f"timeframe = '{base}'")
    used = f"dataframe['fast'] = dataframe['fast'].where(dataframe['close'] > dataframe['ema_{higher}'], 0)"
    strategy(settings, "Higher", extra=HIGHER.format(timeframe=higher, base=base), indicators=used)
    return settings


@pytest.mark.parametrize("name", sampled(ARENAS, set(), {"slots bind", "four hours", "daily equities"}))
def test_an_arena_of_any_shape_gives_freqtrades_own_figures(name, market_data, tmp_path):
    settings = arena_of(tmp_path / "arena", name, market_data)
    client.warm_up()
    opened = context.open_arena(settings, record=False, causality="quick")
    timerange = f"{settings.search.start:%Y%m%d}-{settings.search.end:%Y%m%d}"
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "plain.py"), timerange], cwd=settings.root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for run in json.loads(done.stdout)["runs"]:
        result = evaluated(Path(settings.root, strategy_files.FOLDER, f"{run['strategy']}.py"), opened)
        assert not result.error, result.frames
        assert result.own.trades == run["trades"] > 0
        assert result.own.profit_abs == pytest.approx(run["profit"], abs=1e-3)


GOLDEN = {
    "MeanRevRsi": (571, -2820.01356433),
    "TrendDonchian": (260, 31453.88471456),
    "VolBreakout": (887, 7650.65611939),
}
"""
Trades and profit of FreqTrade 2026.9's own `backtesting` over 20210101-20240101, on folders that hold all candles.
"""


@pytest.mark.slow
def test_the_examples_on_real_candles_give_freqtrades_figures(market_data, tmp_path):
    shipped = json.loads((ROOT / "config.json").read_text())
    settings = prepared(tmp_path / "arena", {"kind": "files", "path": str(market_data / "spot")}, **shipped)
    client.warm_up()
    opened = context.open_arena(settings, record=False, causality="quick")
    files = sorted((ROOT / "examples").glob("*.py"))
    results = {result.strategy: result for result in batch.evaluate_all(files, opened)}
    assert {name: result.error for name, result in results.items()} == dict.fromkeys(GOLDEN, "")
    for name, (trades, profit) in GOLDEN.items():
        assert results[name].own.trades == trades
        assert results[name].own.profit_abs == pytest.approx(profit, abs=1e-3)
        assert results[name].own.sharpe != results[name].closed_sharpe
