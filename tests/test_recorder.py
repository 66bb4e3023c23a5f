"""
What is noted of a run is what FreqTrade did: fills, why orders were sent, the stop before a candle, every answer of a
callback.

FreqTrade's own list of fills is told by a strategy, which raises it: a failure's message comes out of every worker.
"""

import hashlib
import json
import logging
import re
import types

import numpy as np
import pandas as pd
import pytest
from arenas import SHORT, cased, prepared, sampled, strategy

from arena.decisions import NAMES
from arena.errors import StrategyError, when
from arena.evaluation import context
from arena.records import ORDER_KINDS
from arena.sandbox import client
from arena.sandbox.worker import error_capture, parameters

HOUR = 3_600_000
BTC, ETH = "BTC/USDT", "ETH/USDT"


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    settings = prepared(tmp_path_factory.mktemp("arena"), arena=SHORT | {"limits": {"seconds": 60}})
    client.warm_up()
    return context.open_arena(settings, record=False)


@pytest.fixture(scope="module")
def run(arena):
    """Claims by the strategy's parts, each made once."""
    made = {}

    def claim(**parts):
        key = json.dumps(parts, sort_keys=True)
        if key not in made:
            made[key] = cased(strategy(arena.settings, "Probe", **parts), arena).claim
        return made[key]

    return claim


NO_EXITS = "def populate_exit_trend(self, dataframe, metadata):\n    return dataframe\n"
EXITS = {
    "signal": {},
    "custom": {"callbacks": "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, "
                            "**kwargs):\n    return 'up' if current_profit > 0.01 else None"},
    "roi": {"extra": "minimal_roi = {'0': 0.01}", "callbacks": NO_EXITS},
    "stop": {"extra": "stoploss = -0.015", "callbacks": NO_EXITS},
    "trailing": {"extra": "stoploss = -0.03\ntrailing_stop = True", "callbacks": NO_EXITS},
    "adjust": {
        "callbacks": "position_adjustment_enable = "
                     "True\n" "def adjust_trade_position(self, trade, current_time, current_rate, current_profit, "
                              "min_stake, max_stake, "
                              "**kwargs):\n" "    return -trade.stake_amount / 3 if current_profit > 0.01 and "
                                             "trade.nr_of_successful_exits == 0 else None"
    },
    "forced": {"extra": "stoploss = -0.99\nminimal_roi = {}", "callbacks": NO_EXITS},
}  # fmt: skip


def kinds(claim, sells=True):
    return {ORDER_KINDS[kind] for kind in np.unique(claim.orders.kind[claim.orders.buys != sells])}


@pytest.mark.parametrize("kind", EXITS)
def test_an_exit_has_the_kind_of_its_reason(run, kind):
    claim = run(**EXITS[kind])
    assert kind in kinds(claim)
    assert kinds(claim) <= {kind, "signal", "stop", "forced"}
    assert kinds(claim, sells=False) == {"entry"}


def test_an_additional_entry_is_one_too(run):
    adds = (
        "position_adjustment_enable = True\ndef custom_stake_amount(self, pair, proposed_stake, **kwargs):\n    return "
        "proposed_stake / 3\n"
        "def adjust_trade_position(self, trade, current_time, current_rate, current_profit, min_stake, max_stake, "
        "**kwargs):\n"
        "    return 500 if current_profit < -0.005 and trade.nr_of_successful_entries < 3 else None"
    )
    claim = run(callbacks=adds)
    assert claim.orders.buys.sum() > claim.trades
    assert kinds(claim, sells=False) == {"entry"}


def test_what_never_closed_is_forced_at_the_last_candle(run):
    orders = run(**EXITS["forced"]).orders
    assert orders.filled_ms[~orders.buys].tolist() == [run(**EXITS["forced"]).last_ms] * 2


def test_a_stop_is_noted_as_it_stood_before_its_candle(run, arena):
    """The stop-loss as it was is where it sold, or the open below it; the price is rounded to a tick."""
    orders = run(**EXITS["stop"]).orders
    stops = ORDER_KINDS.index("stop") == orders.kind
    assert stops.sum() > 20
    assert np.isnan(orders.stop_before[~stops]).all()
    entries = {}
    for k in range(len(orders.price)):
        if orders.buys[k]:
            entries[orders.pair[k]] = orders.price[k]
        elif stops[k]:
            assert orders.stop_before[k] == pytest.approx(0.985 * entries[orders.pair[k]], rel=1e-4)
            assert orders.price[k] <= orders.stop_before[k] * (1 + 1e-9)


def test_a_trailing_stop_that_this_candle_raised_is_below_the_price(run, arena):
    orders = run(**EXITS["trailing"]).orders
    trailing = ORDER_KINDS.index("trailing") == orders.kind
    raised = orders.price[trailing] > orders.stop_before[trailing] * (1 + 1e-9)
    assert trailing.sum() > 20 and raised.any() and not raised.all()
    made = []
    for k in np.flatnonzero(trailing)[raised]:
        table = arena.tables[arena.settings.pairs[orders.pair[k]]]
        high = table[table[:, 0] == orders.filled_ms[k], 2][0]
        made.append(orders.price[k] / (0.97 * high))
    assert max(made) < 1 + 1e-4  # the stop that the candle's own high has made, or below it in an entry's candle
    assert np.isclose(made, 1, atol=1e-4).mean() > 0.5


TELL = """
def order_filled(self, pair, trade, order, current_time, **kwargs):
    self.__dict__.setdefault("told", []).append((pair, int(current_time.timestamp() * 1000), order.ft_order_side == "buy", order.ft_price, order.amount))
def bot_loop_start(self, current_time, **kwargs):
    if current_time.strftime("%Y-%m-%d %H") == "2021-04-10 00":
        import hashlib
        raise RuntimeError(f"{len(self.told)} {hashlib.sha256(repr(self.told).encode()).hexdigest()}")
"""


def test_fills_are_freqtrades_own(run, arena):
    """A strategy that lists its fills as FreqTrade tells it, and the claim of one that does the same without a word."""
    claim = run(callbacks=TELL.split("def bot_loop_start")[0])
    orders, end = claim.orders, int(pd.Timestamp("2021-04-10", tz="UTC").value // 10**6)
    early = np.flatnonzero(orders.filled_ms < end)
    mine = [
        (
            arena.settings.pairs[orders.pair[k]],
            int(orders.filled_ms[k]),
            bool(orders.buys[k]),
            float(orders.price[k]),
            float(orders.amount[k]),
        )
        for k in early
    ]
    assert len(mine) > 30
    with pytest.raises(StrategyError) as caught:
        run(callbacks=TELL)
    found = re.match(r"RuntimeError: (\d+) ([0-9a-f]{64}), in a callback", str(caught.value))
    assert (int(found[1]), found[2]) == (len(mine), hashlib.sha256(repr(mine).encode()).hexdigest())


# ---- events ----


def events(claim, name):
    """(candle, pair number, answer) of each event of this name."""
    found = claim.decisions.events
    return [
        (int(found.time_ms[k]), int(found.pair[k]), found.answer(k))
        for k in np.flatnonzero(found.name == NAMES.index(name))
    ]


ASKED = """
use_custom_stoploss = True
position_adjustment_enable = True
def bot_loop_start(self, current_time, **kwargs):
    self.loops = getattr(self, "loops", 0) + 1
def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, **kwargs):
    return current_time.hour != 7
def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, current_time, **kwargs):
    from datetime import timedelta
    if exit_reason == "exit_signal" and current_time.day == 5:
        self.lock_pair(pair, current_time + timedelta(hours=9))
    return True
def custom_stake_amount(self, pair, current_time, proposed_stake, **kwargs):
    return 500 + current_time.hour
def custom_entry_price(self, pair, proposed_rate, **kwargs):
    return proposed_rate * 0.999
def custom_exit_price(self, pair, proposed_rate, **kwargs):
    return proposed_rate
def custom_exit(self, pair, trade, current_time, current_profit, **kwargs):
    return "x" * 150 if current_profit > 0.015 else f"day {current_time.day}" if current_profit > 0.005 else None
def custom_stoploss(self, pair, current_time, current_profit, **kwargs):
    return -0.05 if current_profit > 0 else None
def adjust_trade_position(self, trade, **kwargs):
    return None
"""


@pytest.fixture
def asked(run):
    return run(callbacks=ASKED)


def test_every_answer_is_noted_with_its_candle_and_pair(asked):
    steps = 61 * 24
    loops = events(asked, "bot_loop_start")
    assert len(loops) >= steps - 1
    assert {(pair, answer) for _, pair, answer in loops} == {(-1, "None")}
    assert [ms for ms, _, _ in loops] == sorted({ms for ms, _, _ in loops})
    hours = {ms: (ms // HOUR) % 24 for ms, _, _ in events(asked, "confirm_trade_entry")}
    assert all((answer == "True") == (hours[ms] != 7) for ms, _, answer in events(asked, "confirm_trade_entry"))
    assert "False" in {answer for _, _, answer in events(asked, "confirm_trade_entry")}
    assert all(answer == 500 + (ms // HOUR) % 24 for ms, _, answer in events(asked, "custom_stake_amount"))
    assert {pair for _, pair, _ in events(asked, "custom_stake_amount")} == {0, 1}
    assert {answer for _, _, answer in events(asked, "custom_stoploss")} == {-0.05, "None"}
    assert {answer for _, _, answer in events(asked, "adjust_trade_position")} == {"None"}
    assert {pair for _, pair, _ in events(asked, "adjust_trade_position")} == {0, 1}  # named by its trade


def test_long_answers_are_hashes_and_short_ones_themselves(asked):
    answers = {answer for _, _, answer in events(asked, "custom_exit")}
    assert "None" in answers
    assert any(re.fullmatch(r"text \d+", answer) for answer in answers)
    days = [(ms, answer) for ms, _, answer in events(asked, "custom_exit") if answer.startswith("'day")]
    assert days and all(answer == f"'day {int(when(ms)[8:10])}'" for ms, answer in days)


def test_prices_and_amounts_of_orders_follow_their_answers(asked):
    answers = {(ms, pair): price for ms, pair, price in events(asked, "custom_entry_price")}
    placed = events(asked, "entry price")
    assert len(placed) > 50
    assert all(price == pytest.approx(answers[ms, pair], rel=1e-4) for ms, pair, price in placed)
    amounts = {(ms, pair): amount for ms, pair, amount in events(asked, "entry amount")}
    stakes = {(ms, pair): stake for ms, pair, stake in events(asked, "custom_stake_amount")}
    assert all(amounts[ms, pair] * price == pytest.approx(stakes[ms, pair], rel=0.02) for ms, pair, price in placed)


def test_locks_are_noted_until_when(asked):
    locks = events(asked, "lock_pair")
    assert locks
    assert all(int(when(ms)[8:10]) == 5 and until == ms / 1000 + 9 * 3600 for ms, _, until in locks)


def test_why_an_exit_was_asked_stands_before_its_price(asked):
    found = asked.decisions.events
    words = {ORDER_KINDS[int(value)] for _, _, value in events(asked, "exit asked")}
    assert {"signal", "custom"} <= words
    prices = np.flatnonzero(found.name == NAMES.index("exit price"))
    for k in prices[:50]:
        before = [
            j
            for j in range(max(k - 6, 0), k)
            if found.pair[j] == found.pair[k] and found.name[j] == NAMES.index("exit asked")
        ]
        assert before and found.time_ms[before[-1]] == found.time_ms[k]


def test_as_many_orders_are_noted_as_filled_as_there_are_fills(asked):
    filled = events(asked, "filled")
    orders = asked.orders
    assert [(ms, pair, price) for ms, pair, price in filled] == list(
        zip(orders.filled_ms.tolist(), orders.pair.tolist(), orders.price.tolist(), strict=True)
    )


def test_what_freqtrade_answers_by_default_is_not_asked(run):
    names = {NAMES[name] for name in np.unique(run().decisions.events.name)}
    assert names == {"entry price", "entry amount", "exit price", "exit amount", "exit asked", "filled"}


OTHER_NAMES = {
    "a function under another "
    "name": "def leaves(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n"
    "    return 'up' if current_profit > 0.01 else None\ncustom_exit = leaves",
    "one without a name": "def bot_start(self, **kwargs):\n    import functools\n    self.custom_exit = "
    "functools.partial(self.leaves, 0.01)\n"
    "def leaves(self, least, pair, trade, current_time, current_rate, current_profit, **kwargs):\n    return 'up' if "
    "current_profit > least else None",
    "one that borrows "
    "FreqTrade's": "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n"
    "    return 'up' if current_profit > 0.01 else None\ncustom_exit.__qualname__ = 'IStrategy.custom_exit'",
}


@pytest.mark.parametrize("name", sampled(OTHER_NAMES, {"one that borrows FreqTrade's"}))
def test_an_answer_is_noted_under_the_name_that_freqtrade_asks(run, name):
    assert {answer for *_, answer in events(run(callbacks=OTHER_NAMES[name]), "custom_exit")} == {"'up'", "None"}


def test_an_old_name_is_noted_as_what_it_is_and_is_given_a_copy_of_the_trade(run):
    old = (
        "def custom_sell(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n    "
        "trade.stop_loss = 1e9\n    return 'up' if current_profit > 0.01 else None"
    )
    claim = run(callbacks=old)
    assert {answer for *_, answer in events(claim, "custom_sell")} == {"'up'", "None"}
    assert not list(events(claim, "custom_exit")) and "custom_sell" in claim.callbacks
    assert not {ORDER_KINDS[kind] for kind in claim.orders.kind} & {"stop", "trailing"}


# ---- decisions ----


def test_parameters_are_settings_and_hyperopt_parameters_as_they_stand(run):
    code = (
        "from freqtrade.strategy import IntParameter, DecimalParameter\nbuy_days = IntParameter(1, 9, default=4)\n"
        "sell_factor = DecimalParameter(0.1, 0.9, default=0.5)\nminimal_roi = {'60': 0.01, '0': 0.5}"
    )
    told = run(extra=code, indicators="self.buy_days.value = 7\nself.stoploss = -0.07").decisions.parameters
    assert told["buy_days.value"] == "7"
    assert told["sell_factor.value"] == "0.5"
    assert told["stoploss"] == "-0.07"
    assert told["minimal_roi"] == "{0: 0.5, 60: 0.01}"
    assert set(parameters.SETTINGS) <= told.keys()


COMPUTED = "@property\ndef stoploss(self):\n    return -0.05\n@stoploss.setter\ndef stoploss(self, value):\n    pass"


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({}, ()),
        pytest.param(
            {"callbacks": "def custom_exit(self, pair, trade, **kwargs):\n    return None"},
            ("custom_exit",),
            marks=pytest.mark.slow,
        ),
        (
            {
                "callbacks": "def bot_loop_start(self, current_time, **kwargs):\n    pass\ndef leverage(self, "
                "**kwargs):\n    return 1.0"
            },
            ("bot_loop_start", "leverage"),
        ),
        (
            {"callbacks": "def bot_start(self, **kwargs):\n    self.custom_exit = lambda **words: None"},
            ("custom_exit",),
        ),
        ({"extra": COMPUTED}, ("stoploss",)),
        pytest.param({"extra": "@property\ndef protections(self):\n    return []"}, (), marks=pytest.mark.slow),
    ],
)
def test_what_decides_on_the_way_is_listed(run, parts, names):
    assert run(**parts).callbacks == names


# ---- notes ----


def test_notes_keep_the_first_thing_that_went_wrong(tmp_path):
    source = tmp_path / "S.py"
    source.write_text("def broken():\n    return 1 / 0\n")
    module = types.ModuleType("S")
    exec(compile(source.read_text(), str(source), "exec"), vars(module))
    kept = error_capture.Notes(source, lambda pair, timeframe: True)
    kept.check()
    for call in (module.broken, lambda: int("x")):
        try:
            call()
        except Exception as error:
            kept.swallowed(error)
    with pytest.raises(StrategyError) as caught:
        kept.check()
    assert str(caught.value) == "ZeroDivisionError: division by zero, in a callback"
    assert caught.value.frames == ("S.py:2 broken: return 1 / 0",)


def test_candles_that_are_asked_for_and_not_there_are_noted_by_pair_and_timeframe(tmp_path):
    kept = error_capture.Notes(tmp_path / "S.py", lambda pair, timeframe: (pair, timeframe) == (BTC, "4h"))
    logger = "freqtrade.data.history.datahandlers.idatahandler"
    for pair, timeframe in ((BTC, "4h"), ("DOGE/USDT", "4h")):
        text = f"No history for {pair}, spot, {timeframe} found. Use `freqtrade download-data`"
        kept.check()
        kept.emit(logging.LogRecord(logger, logging.WARNING, "", 0, text, (), None))
    with pytest.raises(StrategyError, match="asks for candles that the arena does not have: DOGE/USDT, spot, 4h"):
        kept.check()
    other = error_capture.Notes(tmp_path / "S.py", lambda pair, timeframe: False)
    other.emit(logging.LogRecord("mine", logging.WARNING, "", 0, "No history for this regime", (), None))
    other.check()
