"""
Random small markets, wallets and strategies, none of which knows the future: what is booked is what FreqTrade reports,
and no check of causality finds anything.
"""

import numpy as np
import pandas as pd
import pytest
from arenas import evaluated, prepared, strategy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena.evaluation import context
from arena.sandbox import client

CONFIGS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "decimals": st.integers(0, 4),
        "slots": st.integers(1, 3),
        "fee": st.sampled_from([0.0, 0.001, 0.01]),
        "wallet": st.sampled_from([40, 1000, 250_000]),
        "stake": st.sampled_from(["unlimited", 30]),
    }
)
RULES = st.fixed_dictionaries(
    {
        "enter": st.integers(2, 12),
        "leave": st.integers(2, 12),
        "stoploss": st.sampled_from([-0.01, -0.05, -0.5]),
        "roi": st.sampled_from(["{'0': 10}", "{'0': 0.01}", "{'0': 0.05, '180': 0.01, '600': -1}"]),
        "trailing": st.booleans(),
        "limit": st.sampled_from([1.0, 0.995, 1.004]),
        "limit_exit": st.sampled_from([1.0, 1.004]),
        "average": st.booleans(),
        "size": st.sampled_from([1.0, 0.37]),
    }
)

PLAIN = {"seed": 0, "decimals": 2, "slots": 1, "fee": 0.0, "wallet": 40, "stake": "unlimited"}
RULE = {
    "enter": 2, "leave": 2, "stoploss": -0.01, "roi": "{'0': 10}", "trailing": False, "limit": 1.0, "limit_exit": 1.0,
    "average": False, "size": 1.0,
}  # fmt: skip


def candles(rng: np.random.Generator, n: int, decimals: int) -> pd.DataFrame:
    """A random walk with fat moves, flat stretches, a gap, and prices rounded coarsely; sometimes listed late."""
    close = 50 * np.exp(np.cumsum(rng.standard_t(3, n) * 0.006))
    close[n // 3 : n // 3 + 5] = close[n // 3]
    opens = np.append(close[0], close[:-1]) * (1 + rng.normal(0, 0.0005, n))
    high = np.maximum(opens, close) * (1 + rng.exponential(0.003, n))
    low = np.minimum(opens, close) * (1 - rng.exponential(0.003, n))
    prices = np.round(np.column_stack([opens, high, low, close]), decimals)
    frame = pd.DataFrame(prices, columns=["open", "high", "low", "close"])
    frame.insert(0, "date", pd.date_range("2021-03-01", periods=n, freq="1h", tz="UTC").as_unit("ms"))
    frame["volume"] = rng.uniform(1, 100, n)
    gap = int(rng.integers(n // 2, n - 20))
    return frame.drop(index=range(gap, gap + 3)).iloc[int(rng.choice([0, 0, 30])) :]


@pytest.mark.nightly
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(config=CONFIGS, rule=RULES)
def test_the_booked_profit_is_freqtrades_whatever_market_and_strategy(tmp_path_factory, config, rule):
    booked_profit_is_freqtrades(tmp_path_factory, config, rule)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "rule"),
    [
        (PLAIN, RULE),
        (PLAIN | {"decimals": 0}, RULE),  # whole prices, which have no tick
        (PLAIN | {"seed": 7386}, RULE | {"enter": 5, "stoploss": -0.05}),  # one pair has a gap where the search ends
    ],
)
def test_the_booked_profit_is_freqtrades_in_markets_that_are_odd(tmp_path_factory, config, rule):
    booked_profit_is_freqtrades(tmp_path_factory, config, rule)


def booked_profit_is_freqtrades(tmp_path_factory, config, rule):
    rng = np.random.default_rng(config["seed"])
    folder = tmp_path_factory.mktemp("random")
    files = folder / "files"
    files.mkdir()
    for pair in ("BTC_USDT", "ETH_USDT"):
        candles(rng, 240, config["decimals"]).reset_index(drop=True).to_feather(files / f"{pair}-1h.feather")
    arena = prepared(
        folder / "repo",
        {"kind": "files", "path": str(files)},
        fee=config["fee"],
        dry_run_wallet=config["wallet"],
        stake_amount=config["stake"],
        max_open_trades=config["slots"],
        arena={
            "warmup_from": "20210301",
            "windows": {"a": "20210301-20210306", "b": "20210306-20210310"},
            "validation": None,
            "holdout": None,
            "informative_timeframes": [],
        },
    )
    file = strategy(
        arena,
        extra=f"stoploss = {rule['stoploss']}\nminimal_roi = {rule['roi']}\nstartup_candle_count = 0\n"
        f"trailing_stop = {rule['trailing']}\nposition_adjustment_enable = {rule['average']}",
        indicators=f"dataframe['fast'] = dataframe.index % {rule['enter']}\ndataframe['slow'] = dataframe.index // "
        f"{rule['leave']} % 3",
        callbacks=f"def custom_entry_price(self, proposed_rate, **kwargs):\n    return proposed_rate * "
        f"{rule['limit']}\n"
        f"def custom_exit_price(self, proposed_rate, **kwargs):\n    return proposed_rate * {rule['limit_exit']}\n"
        f"def custom_stake_amount(self, proposed_stake, **kwargs):\n    return proposed_stake * {rule['size']}\n"
        "def adjust_trade_position(self, trade, current_profit, **kwargs):\n"
        "    if current_profit < -0.01 and trade.nr_of_successful_entries < 3:\n        return trade.stake_amount / 2\n"
        "    if current_profit > 0.01 and trade.nr_of_successful_exits < 2:\n        return -trade.stake_amount / 3",
    )
    client.warm_up()
    result = evaluated(file, context.open_arena(arena, record=False, causality="quick"))
    assert not result.error or result.error.startswith("no trades"), result.error
    if not result.error:
        booked = sum(window.own.profit_abs for window in result.windows)
        assert booked == pytest.approx(result.own.profit_abs, abs=1e-6 * config["wallet"])
        assert sum(pair.profit for pair in result.pairs) == pytest.approx(result.own.profit, abs=1e-9)
