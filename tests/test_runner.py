"""Everything that FreqTrade offers to spot strategies works in a worker, with FreqTrade's own trades and profit."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from arenas import ROOT, evaluated, prepared, strategy
from builders import START_MS

from arena.evaluation import context, figures
from arena.ledger import strategy_files
from arena.sandbox import client
from arena.sandbox.transport import Store
from arena.sandbox.worker import runner

# after backtest, which prepares the process for them
from freqtrade.configuration import TimeRange  # isort: skip
from freqtrade.data.history import load_pair_history  # isort: skip
from freqtrade.data.history.datahandlers.idatahandler import IDataHandler  # isort: skip

FEATURES = {
    "Plain": {},
    "InformativeSame": {
        "extra": "from freqtrade.strategy import informative\n@informative('4h')\ndef up_4h(self, dataframe, "
        "metadata):\n"
        "    dataframe['ema'] = ta.EMA(dataframe, timeperiod=10)\n    return dataframe",
        "indicators": "dataframe['fast'] = dataframe['fast'].where(dataframe['close'] > dataframe['ema_4h'], 0)",
    },
    "InformativeOther": {
        "extra": "from freqtrade.strategy import informative\n@informative('1d', 'BTC/USDT')\ndef btc(self, dataframe, "
        "metadata):\n"
        "    dataframe['ema'] = ta.EMA(dataframe, timeperiod=5)\n    return dataframe",
        "indicators": "dataframe['fast'] = dataframe['fast'].where(dataframe['btc_usdt_close_1d'] > "
        "dataframe['btc_usdt_ema_1d'], 0)",
    },
    "InformativePairs": {
        "extra": "def informative_pairs(self):\n    return [('BTC/USDT', '4h')]",
        "indicators": "from freqtrade.strategy import merge_informative_pair\nother = "
        "self.dp.get_pair_dataframe('BTC/USDT', '4h')\n"
        "dataframe = merge_informative_pair(dataframe, other, self.timeframe, '4h', ffill=True)\n"
        "dataframe['fast'] = dataframe['fast'].where(dataframe['close_4h'] > dataframe['open_4h'], 0)",
    },
    "Parameters": {
        "extra": "from freqtrade.strategy import IntParameter, DecimalParameter, BooleanParameter, "
        "CategoricalParameter\n"
        "buy_length = IntParameter(5, 60, default=36)\nbuy_factor = DecimalParameter(0.9, 1.1, default=1.002)\n"
        "buy_flag = BooleanParameter(default=True)\nsell_word = CategoricalParameter(['a', 'b'], default='b')",
        "indicators": "dataframe['slow'] = ta.EMA(dataframe, timeperiod=self.buy_length.value) * "
        "self.buy_factor.value\n"
        "assert self.buy_flag.value and self.sell_word.value == 'b'",
    },
    "RoiAndTrailing": {
        "extra": "minimal_roi = {'0': 0.05, '60': 0.03, '600': 0.0}\ntrailing_stop = True\ntrailing_stop_positive = "
        "0.01\n"
        "trailing_stop_positive_offset = 0.02\ntrailing_only_offset_is_reached = True"
    },
    "ExitProfitOnly": {
        "extra": "exit_profit_only = True\nexit_profit_offset = 0.01\nignore_roi_if_entry_signal = True\nminimal_roi = "
        "{'0': 0.02}"
    },
    "CustomStake": {
        "callbacks": "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, "
        "max_stake, **kwargs):\n"
        "    frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)\n"
        "    return max(min_stake or 0, min(max_stake, proposed_stake * (0.3 + 0.01 * (len(frame) % 50))))"
    },
    "LimitEntry": {
        "callbacks": "def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, "
        "**kwargs):\n"
        "    return proposed_rate * 0.997\n"
        "def adjust_entry_price(self, trade, order, pair, current_time, proposed_rate, current_order_rate, entry_tag, "
        "side, **kwargs):\n"
        "    return current_order_rate if current_time.hour % 3 else proposed_rate * 0.998"
    },
    "LimitExit": {
        "callbacks": "def custom_exit_price(self, pair, trade, current_time, proposed_rate, current_profit, exit_tag, "
        "**kwargs):\n"
        "    return proposed_rate * 1.003"
    },
    "CustomExit": {
        "callbacks": "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n"
        "    if (current_time - trade.open_date_utc).total_seconds() > 20 * 3600:\n        return 'twenty hours'"
    },
    "CustomStoploss": {
        "callbacks": "use_custom_stoploss = True\ndef custom_stoploss(self, pair, trade, current_time, current_rate, "
        "current_profit, "
        "after_fill, **kwargs):\n    return -0.02 if current_profit > 0.01 else -0.05"
    },
    "CustomRoi": {
        "callbacks": "use_custom_roi = True\ndef custom_roi(self, pair, trade, current_time, trade_duration, "
        "entry_tag, side, **kwargs):\n"
        "    return 0.02 if trade_duration > 120 else None"
    },
    "Confirm": {
        "callbacks": "def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, "
        "entry_tag, side, **kwargs):\n"
        "    return current_time.hour % 2 == 0\n"
        "def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, current_time, "
        "**kwargs):\n"
        "    return current_time.hour % 3 != 0"
    },
    "Averaging": {
        "callbacks": "position_adjustment_enable = True\nmax_entry_position_adjustment = 2\n"
        "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, "
        "**kwargs):\n"
        "    return proposed_stake / 3\n"
        "def adjust_trade_position(self, trade, current_time, current_rate, current_profit, min_stake, max_stake, "
        "**kwargs):\n"
        "    if current_profit < -0.01 and trade.nr_of_successful_entries < 3:\n        return trade.stake_amount / 2\n"
        "    if current_profit > 0.015 and trade.nr_of_successful_exits == 0:\n        return -trade.stake_amount / 3"
    },
    "Protections": {
        "extra": "protections = [{'method': 'CooldownPeriod', 'stop_duration_candles': 30}, {'method': "
        "'StoplossGuard', "
        "'lookback_period_candles': 100, 'trade_limit': 1, 'stop_duration_candles': 50}]"
    },
    "MarketOrders": {
        "extra": "order_types = {'entry': 'market', 'exit': 'market', 'stoploss': 'market', 'stoploss_on_exchange': "
        "False}"
    },
    "OneSecondBest": {"extra": "stoploss = -0.02\nminimal_roi = {'0': 0.01, '30': -1}"},
    "Tags": {
        "callbacks": "def populate_entry_trend(self, dataframe, metadata):\n"
        "    dataframe.loc[dataframe['fast'] > dataframe['slow'], ['enter_long', 'enter_tag']] = (1, 'long tag')\n    "
        "return dataframe\n"
        "def populate_exit_trend(self, dataframe, metadata):\n"
        "    dataframe.loc[dataframe['fast'] < dataframe['slow'], ['exit_long', 'exit_tag']] = (1, 'done')\n    return "
        "dataframe"
    },
    "BotStart": {
        "callbacks": "def bot_start(self, **kwargs):\n    self.seen = 0\n"
        "def bot_loop_start(self, current_time, **kwargs):\n    self.seen += 1\n"
        "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n"
        "    return 'seventh' if self.seen % 70 == 0 else None"
    },
    "NoWarmup": {"extra": "startup_candle_count = 0"},
    "LongWarmup": {"extra": "startup_candle_count = 400"},
    "Basket": {"extra": 'pair_basket = ["ETH/USDT"]'},
}


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    settings = prepared(tmp_path_factory.mktemp("arena"))
    for name, parts in FEATURES.items():
        strategy(settings, name, **parts)
    client.warm_up()
    return context.open_arena(settings, record=False, causality="quick")


@pytest.fixture(scope="module")
def accounts(arena):
    """What the account of every feature says, with its engine; nothing else is asked of it."""

    def accounted(name):
        feature = strategy_files.examine(file_of(arena, name), arena.settings)
        account = figures.account(feature, arena)
        return SimpleNamespace(engine=account.engine.name, **figures.measured(feature, arena, account))

    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(FEATURES, pool.map(accounted, FEATURES), strict=True))


def file_of(arena, name):
    return Path(arena.settings.root, strategy_files.FOLDER, f"{name}.py")


@pytest.fixture(scope="module")
def plain(arena):
    """The same strategies by FreqTrade's own `Backtesting(config).start()`, in two processes of their own."""
    names = list(FEATURES)
    command = [sys.executable, str(ROOT / "bench" / "plain.py"), "20210301-20210901", "--only"]
    halves = [
        subprocess.Popen(
            [*command, *half], cwd=arena.settings.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for half in (names[::2], names[1::2])
    ]
    said = [half.communicate() for half in halves]
    assert [half.returncode for half in halves] == [0, 0], said
    return {run["strategy"]: run for out, _ in said for run in json.loads(out)["runs"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FEATURES if name != "Basket"])
def test_a_feature_gives_freqtrades_own_trades_and_profit(accounts, plain, name):
    account = accounts[name]
    assert account.own.trades == plain[name]["trades"] > 0
    assert account.own.profit_abs == pytest.approx(plain[name]["profit"], abs=1e-5)
    assert account.closed_sharpe == pytest.approx(plain[name]["sharpe"], rel=1e-9)


@pytest.mark.nightly
@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_passes_every_check(arena, accounts, name):
    result = evaluated(file_of(arena, name), arena)
    assert (result.error, result.checks.causality) == ("", "quick")
    assert result.own == accounts[name].own


@pytest.mark.slow
def test_stakes_by_the_candles_are_replayed(accounts):
    engines = {name: accounts[name].engine for name in ("CustomStake", "Averaging")}
    assert engines == {"CustomStake": "replay=freqtrade", "Averaging": "booking"}


@pytest.mark.slow
def test_every_feature_changes_the_outcome(plain):
    """A feature without effect would prove nothing."""
    same = {"Plain", "MarketOrders", "Tags", "NoWarmup", "Basket"}  # these may agree with the plain strategy
    assert not [n for n in FEATURES if n not in same and plain[n]["profit"] == plain["Plain"]["profit"]]


@pytest.mark.slow
def test_a_basket_restricts_the_pairs_and_not_the_benchmark(accounts):
    assert [pair.pair for pair in accounts["Basket"].pairs] == ["ETH/USDT"]
    assert repr(accounts["Basket"].hold) == repr(accounts["Plain"].hold)  # nan included


@pytest.mark.slow
def test_two_evaluations_give_the_same_result(arena, accounts):
    first, second = accounts["Averaging"], evaluated(file_of(arena, "Averaging"), arena)
    assert (first.own, first.sharpe_low, first.daily_returns) == (second.own, second.sharpe_low, second.daily_returns)


GAPPY = [*range(40), *range(47, 200), *range(201, 420), *range(500, 720)]
"""Hours that have a candle: gaps of one candle, of hours and of days."""


@pytest.mark.parametrize("timeframe", ["1h", "4h", "1d"])
@pytest.mark.parametrize(
    "timerange", [None, "20210102-20210125", "20210103-", "-20210120", "20210119-20210123", "20200101-20200201"]
)
@pytest.mark.parametrize("startup", [0, 7, 200])
def test_candles_are_loaded_as_freqtrade_loads_them_from_files(tmp_path, timeframe, timerange, startup):
    rng = np.random.default_rng(5)
    close = 100 * np.exp(0.01 * rng.standard_normal(len(GAPPY)).cumsum())
    prices = np.column_stack([close, close * 1.01, close * 0.99, close * 1.001])
    table = np.column_stack([START_MS + np.array(GAPPY) * 3_600_000.0, prices, rng.uniform(1, 9, len(GAPPY))])
    store = Store("1h")
    store.add({"BTC/USDT": table})
    store.frame("BTC/USDT", timeframe).to_feather(tmp_path / f"BTC_USDT-{timeframe}.feather")
    parsed = TimeRange.parse_timerange(timerange) if timerange else None

    def loaded():
        return load_pair_history("BTC/USDT", timeframe, tmp_path, timerange=parsed, startup_candles=startup)

    theirs = loaded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IDataHandler, "ohlcv_load", runner._from(store, ("1h", "4h", "1d")))
        pd.testing.assert_frame_equal(loaded(), theirs, check_exact=True, check_index_type=len(theirs) > 0)
