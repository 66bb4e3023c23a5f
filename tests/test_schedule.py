"""
Each depth of the check does what it says, and another name of the same market takes from a strategy what was no edge.
"""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from arenas import cased, prepared, sampled, strategy

from arena.accounting import pessimistic_fills
from arena.checks import checkpoints, lookahead, relabelling, schedule
from arena.errors import CausalityError
from arena.evaluation import context, figures
from arena.ledger import strategy_files
from arena.market import candle_tables
from arena.records import Window
from arena.sandbox import client
from arena.stats import metrics

BTC, ETH = "BTC/USDT", "ETH/USDT"
HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """Three months: a full check's cost goes with the square of the range."""
    windows = {"spring": "20210301-20210415", "summer": "20210415-20210601"}
    changes = {"windows": windows, "validation": "20210601-20210701", "holdout": None, "limits": {"seconds": 60}}
    settings = prepared(tmp_path_factory.mktemp("arena"), arena=changes)
    client.warm_up()
    return context.open_arena(settings, record=False)


def made(arena, **parts):
    """The number of instants goes with the time of the populate functions; here it does not hang on the machine."""
    case = cased(strategy(arena.settings, "Probe", **parts), arena)
    return dataclasses.replace(case, claim=dataclasses.replace(case.claim, populate_s=0.05, loop_s=0.2))


def rng(seed=1):
    return np.random.default_rng(seed)


def comb(case, n):
    return checkpoints.comb(checkpoints.valid(case.strategy, case.settings, case.tables, case.claim), n, rng())


QUIET = "def custom_exit(self, pair, trade, **kwargs):\n    return None"
TOMORROW = 'dataframe["fast"], dataframe["slow"] = dataframe["close"].shift(-1), dataframe["close"]'
ONE_DAY = (
    'ahead = dataframe["low"][::-1].rolling(12).min()[::-1].shift(-1)\n'
    'day = dataframe["date"].dt.floor("1D") == "2021-05-15"\n'
    'dataframe.loc[day & (ahead < dataframe["close"]), "fast"] = 0'
)
"""Vetoes on one day: no trade shows where they are."""
VETO = (
    "def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, "
    "**kwargs):\n"
    "    return current_time not in self.kept[pair] or self.kept[pair][current_time] >= rate"
)
KEEP = (
    'self.__dict__.setdefault("kept", {})[metadata["pair"]] = dict(zip(dataframe["date"].dt.to_pydatetime(), '
    'dataframe["close"]))'
)


@pytest.mark.nightly
@pytest.mark.parametrize("callbacks", ["", QUIET], ids=["signals", "callbacks"])
def test_an_honest_strategy_passes_both_depths(arena, callbacks):
    case = made(arena, callbacks=callbacks)
    assert schedule.decides_on_the_way(case) == bool(callbacks)
    schedule.quick(case, rng())
    schedule.full(case, rng())


@pytest.mark.slow
@pytest.mark.parametrize("callbacks", ["", QUIET], ids=["signals", "callbacks"])
def test_a_quick_check_finds_what_looks_ahead_everywhere(arena, callbacks):
    with pytest.raises(CausalityError, match=r"causality: (BTC|ETH)/USDT 2021.* is [01] with the future, [01] without"):
        schedule.quick(made(arena, indicators=TOMORROW, callbacks=callbacks), rng())


@pytest.mark.slow
def test_a_full_check_finds_a_single_day_that_a_quick_one_may_miss(arena):
    case = made(arena, indicators=ONE_DAY)

    def misses(seed):
        try:
            schedule.quick(case, rng(seed))
        except CausalityError:
            return False
        return True

    assert any(misses(seed) for seed in range(6))
    with pytest.raises(CausalityError, match=r"causality: (BTC|ETH)/USDT 2021-05-15 \d\d:00 "):
        schedule.full(case, rng())


@pytest.mark.slow
def test_a_full_check_asks_callbacks_too(arena):
    with pytest.raises(CausalityError, match=r"confirm_trade_entry is False with the future, True without"):
        schedule.full(made(arena, indicators=KEEP, callbacks=VETO), rng())


def test_a_callback_that_is_put_there_while_it_runs_decides_on_the_way(arena):
    """The class has none; one was given to the instance."""
    given = "def bot_start(self, **kwargs):\n    self.custom_exit = lambda **words: None"
    assert schedule.decides_on_the_way(made(arena, callbacks=given))
    named = (
        "def bot_start(self, **kwargs):\n    def custom_exit(**words):\n        return None\n    self.custom_exit "
        "= custom_exit"
    )
    claim = made(arena, callbacks=named).claim
    # its answers tell where the strategy has taken it away again
    assert schedule.callbacks(dataclasses.replace(claim, callbacks=())) == ("custom_exit",)
    assert not schedule.decides_on_the_way(
        made(arena, callbacks="def bot_start(self, **kwargs):\n    self.kept = lambda **words: None")
    )


BOOKED = {
    "protections": {"extra": "protections = [{'method': 'CooldownPeriod', 'stop_duration_candles': 2}]"},
    "a setting that a replay does not know": {"extra": "use_custom_stoploss = True"},
    "an old name": {
        "callbacks": "def custom_sell(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n    "
        "return None"
    },
}


@pytest.mark.parametrize("name", sampled(BOOKED, {"an old name"}))
def test_whatever_is_booked_is_walked_though_it_has_no_callback(arena, name):
    case = made(arena, **BOOKED[name])
    assert case.described is None and schedule.decides_on_the_way(case)
    schedule.quick(case, rng())


# ---- the same market under other names ----


def sharpe(arena, case):
    return metrics.measure(arena.market, case.book, arena.settings.search, last=True).sharpe


def good_days(arena, pair):
    """Days on which this pair rose most, as anybody can look them up."""
    frame = candle_tables.frame(arena.tables[pair])
    days = frame.groupby(frame["date"].dt.floor("1D")).agg(open=("open", "first"), close=("close", "last"))
    best = (days["close"] / days["open"]).sort_values().index[-15:]
    return [f"{day:%Y-%m-%d}" for day in best if day >= pd.Timestamp("2021-03-01", tz="UTC")]


@pytest.fixture(scope="module")
def table_of_days(arena):
    days = {pair: good_days(arena, pair) for pair in (BTC, ETH)}
    code = (
        f'days = {days!r}[metadata["pair"]]\n'
        'known = (dataframe["date"] + pd.Timedelta(hours=1)).dt.strftime("%Y-%m-%d").isin(days)\n'
        'dataframe["fast"], dataframe["slow"] = known.astype(float), 0.5'
    )
    return made(arena, indicators=f"import pandas as pd\n{code}")


@pytest.mark.parametrize("seed", sampled(range(3), {0}))
def test_an_honest_strategy_keeps_its_sharpe_under_other_names(arena, seed):
    trend = 'dataframe["fast"], dataframe["slow"] = ta.EMA(dataframe, timeperiod=24), ta.EMA(dataframe, timeperiod=96)'
    case = made(arena, indicators=trend)
    assert relabelling.relabel(case, rng(seed)) == pytest.approx(sharpe(arena, case), abs=1.0)


@pytest.mark.parametrize(
    "callbacks", [pytest.param(QUIET, id="booked"), pytest.param("", marks=pytest.mark.slow, id="replayed")]
)
def test_a_position_that_is_open_at_the_end_is_counted_under_other_names_too(arena, callbacks):
    case = made(arena, indicators='dataframe["fast"], dataframe["slow"] = 1.0, 0.5', callbacks=callbacks)
    assert relabelling.relabel(case, rng()) == pytest.approx(sharpe(arena, case), abs=0.5)


@pytest.mark.parametrize("seed", sampled(range(3), {0}))
def test_a_table_of_days_loses_it(arena, table_of_days, seed):
    own = sharpe(arena, table_of_days)
    assert own > 5
    assert relabelling.relabel(table_of_days, rng(seed)) < 0.3 * own


GONE = {
    "no trade": 'dataframe["fast"] = dataframe["fast"].where(dataframe["date"] >= "2021-01-01", '
    "0)\nself.startup_candle_count = 0",
    "an error": 'assert dataframe["date"].iloc[0] > pd.Timestamp("2020-12-31", tz="UTC")',
}


@pytest.mark.parametrize("name", GONE)
def test_what_is_left_of_a_strategy_that_does_not_trade_there_is_nothing(arena, name):
    case = made(arena, indicators=f"import pandas as pd\n{GONE[name]}")
    assert len(case.claim.orders.price) > 20
    assert relabelling.relabel(case, rng()) == 0.0


def test_a_relabelled_run_may_take_as_much_longer_as_it_is(arena):
    settings, search = arena.settings, arena.settings.search
    window = relabelling.moved(search, -30 * DAY, 16 * DAY)
    assert (window.start_ms, window.end_ms) == (search.start_ms - 30 * DAY, search.end_ms + 16 * DAY)
    limits = relabelling.longer(settings, 138 / 92).limits
    assert limits.seconds == 90
    assert limits.output_kb == math.ceil(settings.limits.output_kb * 1.5)
    assert limits.memory_mb == settings.limits.memory_mb


@pytest.mark.parametrize(
    ("own", "answers", "expected"),
    [
        (1.5, (1.1,), 1.1),
        (1.5, (0.2, 1.2, 1.4), 1.2),
        (1.5, (0.2, 0.3, 1.4), 0.3),
        (1.5, (0.9, 0.0, 1.4), 0.9),
        (0.9, (0.1,), 0.1),
        (math.nan, (0.1,), 0.1),
    ],
)
def test_where_the_gate_would_say_no_the_middle_of_three_markets_counts(own, answers, expected):
    asked = list(answers)
    assert relabelling.middle(lambda: asked.pop(0), own, 0.3) == expected
    assert not asked


# ---- the candles after the range ----


def test_after_the_range_come_validations_candles(arena):
    beyond, window = arena.beyond()
    assert window == Window("beyond", arena.settings.search.start, arena.settings.validation.end)
    for pair in arena.settings.pairs:
        assert beyond[pair][-1, 0] >= arena.settings.validation.end_ms - DAY
        assert beyond[pair][:, 0].min() >= arena.settings.search.end_ms


def test_where_there_are_none_the_first_weeks_come_again(arena):
    settings = arena.settings
    for sealed, told in ((None, settings), ({BTC: np.empty((0, 6))}, settings.model_copy(update={"validation": None}))):
        beyond, window = schedule.continuing(told, arena.tables, sealed)
        assert (window.start, window.end_ms) == (settings.search.start, settings.search.end_ms + 61 * DAY)
        for pair, table in arena.tables.items():
            more = beyond[pair][len(table) :]
            np.testing.assert_array_equal(beyond[pair][: len(table)], table)
            np.testing.assert_array_equal(more[:, 0], table[-1, 0] + HOUR * np.arange(1, len(more) + 1))
            assert 59 * DAY <= more[-1, 0] - settings.search.end_ms <= 60 * DAY
            moves, again = np.log(more[:, 4] / more[:, 1]), np.log(table[: len(more), 4] / table[: len(more), 1])
            assert np.corrcoef(moves, again)[0, 1] > 0.99


# ---- the validation slice ----

SLICE = (
    'late = dataframe["date"] >= "2021-06-02"\n'
    'dataframe.loc[late, "fast"], dataframe.loc[late, "slow"] = dataframe["close"].shift(-1)[late], '
    'dataframe["close"][late]'
)
"""Knows the next candle after the search range, and nothing before its end."""


def untold(check, *args):
    """What is told of a check inside a range that nobody may know."""
    with pytest.raises(CausalityError) as caught:
        check(*args)
    assert (caught.value.frames, caught.value.__cause__) == ((), None)
    return str(caught.value)


@pytest.mark.slow
def test_a_figure_of_validation_needs_decisions_that_were_checked_there(arena):
    case = made(arena, indicators=SLICE)
    schedule.quick(case, rng())
    later = schedule.further(case)
    market = candle_tables.market(later.tables, later.settings, later.settings.search)
    assert metrics.measure(market, later.book, arena.settings.validation, last=True).sharpe > 10
    assert untold(schedule.validation_sharpe, case, rng()) == lookahead.LATER


@pytest.mark.slow
def test_so_it_is_where_callbacks_decide(arena):
    case = made(
        arena,
        indicators=f"{KEEP}\nself.late = dataframe['date'].iloc[-1]",
        callbacks=VETO.replace("return", "if str(current_time) < '2021-06-02':\n        return True\n    return"),
    )
    assert untold(schedule.validation_sharpe, case, rng()) == lookahead.LATER


@pytest.mark.slow
@pytest.mark.parametrize("callbacks", ["", QUIET], ids=["signals", "callbacks"])
def test_an_honest_strategy_has_the_figure_of_the_run_that_goes_on(arena, callbacks):
    case = made(arena, callbacks=callbacks)
    later = schedule.further(case)
    assert later.claim.decisions.signals[BTC].start_ms == case.claim.decisions.signals[BTC].start_ms
    assert later.claim.orders.filled_ms.max() > arena.settings.search.end_ms
    market = candle_tables.market(later.tables, later.settings, later.settings.search)
    sharpe = metrics.measure(market, later.book, arena.settings.validation, last=True).sharpe
    assert schedule.validation_sharpe(case, rng()) == pytest.approx(sharpe)


AWARE = (
    'if dataframe["date"].iloc[-1] > pd.Timestamp("2021-06-20", tz="UTC"):\n    dataframe.loc[dataframe["date"] < '
    '"2021-05-01", "fast"] = 0'
)


@pytest.mark.slow
@pytest.mark.parametrize("callbacks", ["", QUIET], ids=["signals", "callbacks"])
def test_whoever_decides_otherwise_in_the_search_range_when_the_run_goes_on_is_found(arena, callbacks):
    case = made(arena, indicators=f"import pandas as pd\n{AWARE}", callbacks=callbacks)
    assert untold(schedule.unchanged, case, schedule.further(case)) == lookahead.AFTER
    honest = made(arena, callbacks=callbacks)
    schedule.unchanged(honest, schedule.further(honest))


@pytest.mark.slow
def test_an_honest_slice_rests_on_no_wishful_fill(arena):
    honest = made(arena, callbacks=QUIET)
    assert schedule.wishful(honest, schedule.further(honest), ()) <= 0.3


AT_ONCE = (
    "use_custom_roi = True\n"
    "def custom_roi(self, pair, trade, current_time, trade_duration, entry_tag, side, **kwargs):\n"
    "    return 0.004 if str(current_time) >= '2021-06-01' else 10\n"
)
"""After the search range, and not in it, each trade is to end in the candle of its entry."""


@pytest.mark.slow
def test_wishful_fills_after_the_search_range_are_counted_there(arena):
    often = (
        f"{TOMORROW}\n"
        'late, high = dataframe["date"] >= "2021-05-31 22:00", dataframe["high"].shift(-1)\n'
        'dataframe.loc[late, "fast"], dataframe.loc[late, "slow"] = 0.5 + (high > 1.006 * dataframe["close"]), 0.5'
    )
    case = made(arena, indicators=often, callbacks=AT_ONCE)
    later = schedule.further(case)
    assert pessimistic_fills.optimistic_fills(arena.market, case.claim.orders, case.book, fee=arena.settings.fee) == 0
    assert schedule.wishful(case, later, ()) > 0.1


@pytest.mark.slow
def test_a_check_of_a_part_draws_its_instants_from_that_part(arena):
    case = made(arena, indicators=ONE_DAY)
    may = int(pd.Timestamp("2021-05-20", tz="UTC").value // 10**6)
    schedule.full(case, rng(), since_ms=may)
    with pytest.raises(CausalityError, match="2021-05-15"):
        schedule.full(case, rng(), until_ms=may)


@pytest.mark.slow
def test_detours_settle_most_instants_and_what_they_leave_is_looked_at(arena, monkeypatch):
    monkeypatch.setattr(schedule, "WORLD_LOOKS", 1)  # few fit into three months, and looks would be asked instead
    case = made(arena)
    borders = comb(case, 40)
    assert len(schedule._unsettled(case, borders, 50, rng())) < 10


def test_where_detours_would_cost_more_every_instant_is_looked_at(arena):
    case = made(arena)
    few = comb(case, 4)
    assert schedule._unsettled(case, few, schedule.TAIL, rng()) == few


@pytest.mark.slow
def test_foresight_is_left_to_the_looks(arena, monkeypatch):
    monkeypatch.setattr(schedule, "WORLD_LOOKS", 1)
    case = made(arena, indicators=TOMORROW)
    borders = comb(case, 40)
    assert len(schedule._unsettled(case, borders, 50, rng())) > 20


def test_parts_are_few_and_their_instants_far_apart():
    borders = list(range(0, 3000, 3))
    parts = schedule._parts(borders, 50, rng())
    assert sorted(border for part in parts for border in part) == borders and len(parts) < 50
    distances = np.concatenate([np.diff(part) for part in parts])
    assert distances.min() >= 50 and len(np.unique(distances)) > 10
    assert schedule._parts([], 5, rng()) == []


def test_of_instants_too_close_to_each_other_the_more_urgent_one_is_taken():
    assert schedule._apart([7, 5, 12, 1, 18], 5) == [7, 12, 1, 18]


@pytest.mark.slow
def test_what_fails_in_a_short_frame_alone_is_not_called_foresight(arena):
    """A frame of so few candles is asked about by a turned future, which finds foresight there all the same."""
    few = f"if len(dataframe) < {checkpoints.ROWS}:\n    raise ValueError('negative dimensions are not allowed')"
    case = made(arena, indicators=few)
    early, *_, late = checkpoints.valid(case.strategy, case.settings, case.tables, case.claim).times.tolist()
    with pytest.raises(CausalityError, match="negative dimensions"):
        lookahead.looks(case, [early])
    assert schedule._looked(case, [early, late], None, [], rng()) == []
    ahead = made(
        arena,
        indicators=few + "\ndataframe['fast'] = dataframe['close'].shift(-1)\ndataframe['slow'] = dataframe['close']",
    )
    with pytest.raises(CausalityError, match="enter_long is"):
        for k in range(6):
            schedule._looked(ahead, [early + k * HOUR], None, [], rng(k))


DEPTHS = ["quick", pytest.param("full", marks=pytest.mark.slow)]
SHARE = (
    "def custom_stake_amount(self, pair, current_time, proposed_stake, **kwargs):\n    known, _ = "
    "self.dp.get_analyzed_dataframe(pair, self.timeframe)\n"
)
SHARES = {
    "of the candles": {"callbacks": SHARE + "    return proposed_stake * (0.2 + known['close'].iloc[-1] % 0.5)\n"},
    "of what was asked before": {
        "callbacks": SHARE + "    self.shares = getattr(self, 'shares', {})\n"
        "    return proposed_stake * self.shares.setdefault((pair, current_time.date()), 0.2 + known['close'].iloc[-1] "
        "% 0.5)\n"
    },
    "of a later candle": {
        "indicators": "dataframe['share'] = (dataframe['close'].shift(-6) > dataframe['close']).map({True: 0.9, False: "
        "0.3})",
        "callbacks": SHARE + "    return proposed_stake * known['share'].iloc[-1]\n",
    },
    "of the very candle": {
        "indicators": "self.kept = getattr(self, 'kept', {}) | {metadata['pair']: "
        "dataframe.set_index('date')['close']}",
        "callbacks": "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, **kwargs):\n"
        "    return proposed_stake * (0.9 if self.kept[pair].get(current_time, 0) > current_rate else 0.3)\n",
    },
}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("name", sampled(SHARES, {"of a later candle", "of the very candle"}))
def test_shares_of_stakes_are_asked_for_without_the_future(arena, monkeypatch, name, depth):
    file = strategy(arena.settings, "Shares", **SHARES[name])
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    case = figures.case_of(told, arena, figures.account(told, arena))
    before = name == "of what was asked before"  # that the replay has not: it is booked
    assert (case.described is None) == before
    walks, walk = [], lookahead.walk
    monkeypatch.setattr(lookahead, "walk", lambda *args, **named: walks.append(args) or walk(*args, **named))
    if "candle" in name and "candles" not in name:
        with pytest.raises(CausalityError, match="custom_stake_amount is .* of what is proposed with the future"):
            getattr(schedule, depth)(case, np.random.default_rng(3))
    else:
        getattr(schedule, depth)(case, np.random.default_rng(3))
    assert len(walks) == before


LOOKS_ALONE = (
    "def custom_stake_amount(self, pair, current_time, proposed_stake, max_stake, **kwargs):\n"
    "    self.asked = getattr(self, 'asked', 0) + 1\n"
    "    if max_stake > 1e7 and self.asked < 500:\n        return proposed_stake * 0.5\n"
    "    return proposed_stake * (0.9 if self.kept[pair].get(current_time, 0) else 0.3)\n"
)
"""Foresight in FreqTrade's loop and where many shares are asked for; a constant where it is asked for few."""


@pytest.mark.slow
@pytest.mark.parametrize("depth", ["quick", "full"])
def test_who_answers_otherwise_where_few_shares_are_asked_for_is_walked(arena, depth):
    kept = (
        "self.kept = getattr(self, 'kept', {}) | {metadata['pair']: dict(zip(dataframe['date'], "
        "dataframe['close'].shift(-6) > dataframe['close']))}"
    )
    file = strategy(arena.settings, "Shares", indicators=kept, callbacks=LOOKS_ALONE)
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    case = figures.case_of(told, arena, figures.account(told, arena))
    with pytest.raises(CausalityError, match="custom_stake_amount is"):
        getattr(schedule, depth)(case, np.random.default_rng(3))
