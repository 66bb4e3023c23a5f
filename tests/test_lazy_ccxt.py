"""ccxt without unused exchanges is ccxt in every respect that an arena meets."""

import subprocess
import sys

import pytest
from arenas import ROOT, evaluated, prepared, strategy

from arena.evaluation import context
from arena.sandbox import client

LEAN = """
import sys
from arena.startup import lazy_ccxt
lazy_ccxt.install()
import ccxt, ccxt.async_support, ccxt.pro
loaded = len([m for m in sys.modules if m.startswith("ccxt.")])
lazy_ccxt.load("binanceus")
for package in (ccxt, ccxt.async_support, ccxt.pro):
    assert issubclass(package.binanceus, package.binance), package
    assert package.binanceus().describe()["id"] == "binanceus"
assert "describe" not in vars(ccxt.kraken)
lazy_ccxt.load("no_such_exchange")
lazy_ccxt.load("kraken")
assert ccxt.kraken().describe()["id"] == "kraken"
assert len(ccxt.exchanges) > 90 and issubclass(ccxt.NetworkError, ccxt.BaseError)
"""


def test_an_exchange_is_a_stand_in_until_it_is_loaded():
    done = subprocess.run([sys.executable, "-c", LEAN], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_an_arena_on_another_exchange_gives_the_same_figures(tmp_path):
    results = []
    for name in ("binance", "kraken", "okx"):
        pairs = {"name": name, "pair_whitelist": ["BTC/USDT", "ETH/USDT"]}
        arena = prepared(tmp_path / name, exchange=pairs)
        client.warm_up()
        results.append(evaluated(strategy(arena), context.open_arena(arena, record=False, causality="quick")))
    assert [result.error for result in results] == ["", "", ""]
    assert results[0].own.trades > 20
    assert results[0].own == results[1].own == results[2].own


@pytest.mark.slow
@pytest.mark.parametrize("module", ["ccxt", "ccxt.pro"])
def test_once_ccxt_is_imported_installing_has_no_effect(module):
    code = (
        f"import {module}, ccxt\nfrom arena.startup import lazy_ccxt\nlazy_ccxt.install()\nimport "
        f"ccxt.async_support\nassert ccxt.async_support.kraken().id == 'kraken'"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
