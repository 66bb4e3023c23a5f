"""FreqTrade's loop without its idle candles decides the same, and shows strategies the same."""

import json
import subprocess
import sys

import pytest
from arenas import ROOT, prepared, strategy

pytestmark = pytest.mark.slow

OTHERS = (
    "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):\n"
    "    lengths = [len(self.dp.get_analyzed_dataframe(other, self.timeframe)[0]) for other in "
    "self.dp.current_whitelist()]\n"
    "    longer = self.dp.get_pair_dataframe(pair, '4h')\n"
    "    return proposed_stake * (0.3 + 0.01 * (sum(lengths) % 40) + 0.0001 * (len(longer) % 10))\n"
)
EXIT = (
    "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n    return "
    "'day' if "
    "current_time.hour == 5 else None\n"
)
BUSY = "def bot_loop_start(self, current_time, **kwargs):\n    self.seen = getattr(self, 'seen', 0) + 1\n"
CASES = {
    "Signals": {},
    "Others": {"callbacks": OTHERS + EXIT},
    "Rare": {
        "indicators": "dataframe['fast'] = dataframe['fast'].where(dataframe['date'].dt.day < 4, 0)",
        "callbacks": OTHERS,
    },
    "Limits": {
        "callbacks": "def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, "
        "**kwargs):\n    return proposed_rate * 0.99\n"
    },
    "Adjusts": {
        "extra": "position_adjustment_enable = True",
        "callbacks": "def adjust_trade_position(self, trade, current_time, current_rate, current_profit, min_stake, "
        "max_stake, **kwargs):\n"
        "    return -trade.stake_amount / 4 if current_profit > 0.01 and trade.nr_of_successful_exits < 2 else None\n",
    },
    "Locks": {"extra": "protections = [{'method': 'CooldownPeriod', 'stop_duration_candles': 30}]"},
    "Loop": {"callbacks": BUSY + EXIT},
    "Basket": {"extra": 'pair_basket = ["ETH/USDT"]'},
}


@pytest.fixture(scope="module", params=["all listed", "one slot, listed late"])
def runs(request, tmp_path_factory):
    """By strategy, what happened with every candle and without the idle ones."""
    arena = arena_of(request.param, tmp_path_factory)
    files = [strategy(arena, name, **parts) for name, parts in CASES.items()]
    words = [sys.executable, str(ROOT / "tests" / "twice.py"), str(arena.root), *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(CASES, map(json.loads, done.stdout.splitlines()), strict=True))


def arena_of(kind, tmp_path_factory):
    changes = {"windows": {"spring": "20210301-20210501"}, "validation": None, "holdout": None}
    if kind == "all listed":
        return prepared(tmp_path_factory.mktemp("arena"), arena=changes)
    pairs = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "AVAX/USDT"]
    return prepared(
        tmp_path_factory.mktemp("arena"),
        arena=changes | {"warmup_from": "20200801", "windows": {"autumn": "20200815-20201101"}},
        exchange={"name": "binance", "pair_whitelist": pairs}, max_open_trades=1,
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_candle_that_counts_is_visited_in_order_and_shows_the_same(runs, name):
    every, ours = runs[name]
    assert ours["seen"] == every["seen"]
    assert len(ours["seen"]) > 20
    assert ours["claim"] == every["claim"]
    assert (ours["visits"] == every["visits"]) == (name == "Loop")  # which is asked at every candle
    assert name == "Loop" or ours["visits"] == len(ours["seen"])  # none in vain
