"""A claim's signals and parameters, replayed on the arena's own candles, give the orders of FreqTrade's loop."""

import dataclasses

import numpy as np
import pytest
from arenas import SHORT, cased, prepared, sampled, strategy

from arena.accounting.replay import inputs, simulator
from arena.accounting.replay.inputs import NotReplayable
from arena.decisions import Stakes
from arena.evaluation import context
from arena.ledger import strategy_files
from arena.market import candle_tables, scenarios
from arena.records import ORDER_KINDS
from arena.sandbox import client

BTC, ETH = "BTC/USDT", "ETH/USDT"
FEATURES = {
    "signals": "",
    "stop": "stoploss = -0.01",
    "trailing": "trailing_stop = True\nstoploss = -0.03",
    "trailing from an offset": (
        "trailing_stop = True\ntrailing_stop_positive = 0.004\ntrailing_stop_positive_offset = 0.01\n"
        "trailing_only_offset_is_reached = True\nstoploss = -0.05"
    ),
    "targets": 'minimal_roi = {"0": 0.02, "90": 0.01, "600": 0.0}',
    "profit only": "exit_profit_only = True\nexit_profit_offset = 0.002",
    "no exit signal": 'use_exit_signal = False\nminimal_roi = {"0": 0.03}',
    "no target while it enters": 'ignore_roi_if_entry_signal = True\nminimal_roi = {"0": 0.01}',
    "no warm-up": "startup_candle_count = 0",
    "long warm-up": "startup_candle_count = 200",
    "a warm-up longer than the history": "startup_candle_count = 700",
    "one pair": 'pair_basket = ["ETH/USDT"]',
    "numbers of numpy": "import numpy as np\nstoploss = np.float64(-0.02)\nexit_profit_offset = "
    "np.float64(0.01)\ndel np",
}


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    settings = prepared(tmp_path_factory.mktemp("arena"), arena=SHORT)
    client.warm_up()
    return context.open_arena(settings, record=False, causality="quick")


@pytest.fixture(scope="module")
def case_of(arena):
    """Cases by what stands in the strategy's class, each made once."""
    made = {}

    def case(extra=""):
        if extra not in made:
            made[extra] = cased(strategy(arena.settings, "Probe", extra=extra), arena)
        return made[extra]

    return case


def described(case, arena, decided=None):
    return inputs.described(
        case.strategy,
        arena.settings,
        arena.tables,
        arena.market,
        arena.markets,
        case.ticks,
        decided or case.claim.decisions,
    )


def replayed(case, arena):
    made = described(case, arena)
    return inputs.orders(inputs.replayed(made, arena.settings, case.claim.decisions), arena.market)


@pytest.mark.parametrize(
    "name", sampled(FEATURES, set(FEATURES) - {"trailing", "no exit signal", "long warm-up", "numbers of numpy"})
)
def test_replayed_orders_are_those_of_freqtrades_loop(arena, case_of, name):
    case = case_of(FEATURES[name])
    found = replayed(case, arena)
    assert len(found.price) > 20
    assert inputs.difference(found, case.claim.orders, arena.market) == ""


def test_stakes_stand_in_the_candles_of_their_entries(arena, case_of):
    case = case_of()
    terms, decided = (
        (case.strategy, arena.settings, arena.tables, arena.market, arena.markets, case.ticks),
        case.claim.decisions,
    )
    start, step = int(arena.market.open_ms[0]), arena.market.step_ms
    pair = arena.market.pairs[1]

    def sized(*open_ms, scale=0.5):
        return inputs.described(
            *terms,
            dataclasses.replace(
                decided, stakes={pair: Stakes(np.array(open_ms, dtype=np.int64), np.full(len(open_ms), scale))}
            ),
        )

    made = sized(start + 3 * step, start + 70 * step)
    assert made.rules.sized and not made.rules.clamp
    assert np.flatnonzero(~np.isnan(made.course.scale[1])).tolist() == [3, 70] and np.isnan(made.course.scale[0]).all()
    assert inputs.part(made, arena.market, start, start + 50 * step).course.scale.shape == (2, 51)
    plain = inputs.described(*terms, decided)
    assert not plain.rules.sized and plain.course.scale.shape == (1, 1)
    for outside in (start - step, start + step // 2, start + step * made.course.flags.shape[1]):
        with pytest.raises(inputs.NotReplayable, match="outside the range"):
            sized(outside)
    for unknown in (lambda: sized(start + step, scale=np.nan), sized):
        with pytest.raises(inputs.NotReplayable, match=inputs.NO_SHARE):
            unknown()


SHAPES = {
    "slots bind": {"max_open_trades": 1},
    "no limit of slots, fixed stake": {"max_open_trades": -1, "stake_amount": 100},
    "a stake that is there once": {"stake_amount": 6000},
    "another fee": {"fee": 0.0},
    "days": {
        "timeframe": "1d",
        "arena": {
            "informative_timeframes": ["1w"],
            "warmup_from": "20200101",
            "windows": {"a": "20210101-20221001"},
            "validation": None,
            "holdout": None,
        },
    },
    "five minutes": {
        "timeframe": "5m",
        "arena": {
            "windows": {"a": "20210301-20210315"},
            "validation": None,
            "holdout": None,
            "warmup_from": "20210220",
        },
    },
    "warm-up does not reach": {"arena": {"warmup_from": "20210301"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_arenas_of_other_shapes_are_replayed_too(tmp_path, name):
    changes = SHAPES[name]
    settings = prepared(tmp_path / "arena", **changes)
    client.warm_up()
    opened = context.open_arena(settings, record=False, causality="quick")
    frame = f'timeframe = "{settings.timeframe}"\nstoploss = -0.02\ntrailing_stop = True'
    file = strategy(settings, "Probe", extra=frame)
    case = cased(file, opened)
    assert inputs.difference(replayed(case, opened), case.claim.orders, opened.market) == ""
    assert len(case.claim.orders.price)


@pytest.mark.slow
def test_pairs_that_are_listed_late_are_replayed_on_real_candles(tmp_path, market_data):
    pairs = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT"]
    settings = prepared(
        tmp_path / "arena",
        {"kind": "files", "path": str(market_data / "spot")},
        exchange={"name": "binance", "pair_whitelist": pairs},
        max_open_trades=2,
        arena={"warmup_from": "20200101", "windows": {"a": "20200401-20210401"}, "validation": None, "holdout": None},
    )
    client.warm_up()
    opened = context.open_arena(settings, record=False, causality="quick")
    case = cased(strategy(settings, "Probe", extra=FEATURES["trailing from an offset"]), opened)
    made = described(case, opened)
    assert len(np.unique(made.course.first)) > 1
    assert inputs.difference(replayed(case, opened), case.claim.orders, opened.market) == ""


OUTSIDE = {
    "protections": ('protections = [{"method": "CooldownPeriod", "stop_duration_candles": 2}]', "protections is"),
    "adjusted positions": ("position_adjustment_enable = True", "position_adjustment_enable is True"),
    "a stop of its own": ("use_custom_stoploss = True", "use_custom_stoploss is True"),
}


@pytest.mark.parametrize("name", sampled(OUTSIDE, {"protections"}))
def test_what_signals_do_not_say_is_outside(arena, case_of, name):
    extra, message = OUTSIDE[name]
    case = case_of(extra)
    with pytest.raises(NotReplayable, match=message):
        replayed(case, arena)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameter", "text", "message"),
    [
        ("minimal_roi", "[0.1]", "minimal_roi is no table"),
        ("minimal_roi", "{0: 'x'}", "minimal_roi is no table"),
        ("stoploss", "'-0.1'", "stoploss is '-0.1'"),
        ("stoploss", "True", "stoploss is True"),
        ("trailing_stop", "1", "trailing_stop is 1"),
        ("startup_candle_count", "3.5", "startup_candle_count is 3.5"),
        ("exit_profit_offset", "Probe()", "exit_profit_offset is no plain value"),
        ("exit_profit_offset", "1e999", "exit_profit_offset is inf"),
        ("trailing_stop_positive", "[", "trailing_stop_positive is no plain value"),
    ],
)
def test_parameters_of_another_kind_are_outside(arena, case_of, parameter, text, message):
    case = case_of()
    decided = dataclasses.replace(case.claim.decisions, parameters={**case.claim.decisions.parameters, parameter: text})
    with pytest.raises(NotReplayable, match=message.replace("(", r"\(")):
        described(case, arena, decided)


def test_signals_that_do_not_reach_are_outside(arena, case_of):
    case = case_of()
    signals = case.claim.decisions.signals
    for change, message in [
        (
            {BTC: dataclasses.replace(signals[BTC], enter=signals[BTC].enter[:-5], exit=signals[BTC].exit[:-5])},
            "do not reach",
        ),
        ({BTC: dataclasses.replace(signals[BTC], start_ms=signals[BTC].start_ms + 3 * 86_400_000)}, "do not reach"),
    ]:
        decided = dataclasses.replace(case.claim.decisions, signals={**signals, **change})
        with pytest.raises(NotReplayable, match=message):
            described(case, arena, decided)
    alone = dataclasses.replace(case.claim.decisions, signals={ETH: signals[ETH]})
    with pytest.raises(NotReplayable, match="no signals"):
        described(case, arena, alone)


def test_the_first_difference_is_told_with_pair_time_and_both_sides(arena, case_of):
    case = case_of()
    mine = replayed(case, arena)
    price = mine.price.copy()
    price[3] += 0.01
    text = inputs.difference(mine, dataclasses.replace(mine, price=price), arena.market)
    kind = "buy" if mine.buys[3] else f"sell ({ORDER_KINDS[mine.kind[3]]})"
    assert text.startswith(f"order 3 is {arena.market.pairs[mine.pair[3]]} 2021-")
    assert f"{kind} {mine.amount[3]:.10g} at {mine.price[3]:.10g} in the replay" in text
    assert text.endswith(f"at {price[3]:.10g} in FreqTrade's loop")
    shorter = dataclasses.replace(mine, **{f.name: getattr(mine, f.name)[:-1] for f in dataclasses.fields(mine)})
    assert "missing in FreqTrade's loop" in inputs.difference(mine, shorter, arena.market)
    assert "missing in the replay" in inputs.difference(shorter, mine, arena.market)


@pytest.mark.parametrize("name", ["pair", "filled_ms", "buys", "price", "amount", "kind", "stop_before"])
def test_every_column_is_compared(arena, case_of, name):
    mine = replayed(case_of(FEATURES["stop"]), arena)
    column = getattr(mine, name)
    k = int(np.flatnonzero(~np.isnan(mine.stop_before))[0])
    changed = column.copy()
    changed[k] = ~column[k] if column.dtype == np.bool_ else 1 - column[k] if name == "pair" else column[k] + 1
    assert inputs.difference(mine, dataclasses.replace(mine, **{name: changed}), arena.market)


def test_the_account_is_the_arenas(arena):
    made = inputs.account_of(arena.settings)
    assert (made.wallet, made.fee, made.slots) == (
        arena.settings.wallet,
        arena.settings.fee,
        arena.settings.max_open_trades,
    )
    assert np.isnan(made.stake)
    assert inputs.account_of(arena.settings, 0.01) == simulator.account(
        arena.settings.wallet, arena.settings.raw["tradable_balance_ratio"], None, arena.settings.max_open_trades, 0.01
    )
    amended = arena.settings.model_copy(update={"raw": {**arena.settings.raw, "amend_last_stake_amount": True}})
    with pytest.raises(NotReplayable, match="amend_last_stake_amount"):
        inputs.account_of(amended)


def test_an_exit_that_waits_longer_than_a_candle_is_known(arena, case_of):
    case = case_of()
    decided = case.claim.decisions
    for text, waits in [
        ("{'entry': 10, 'exit': 10, 'unit': 'minutes'}", False),
        ("{'exit': 61}", True),
        ("{'exit': 1, 'unit': 'seconds'}", True),
        ("{}", True),
    ]:
        told = dataclasses.replace(decided, parameters={**decided.parameters, "unfilledtimeout": text})
        assert inputs.exits_wait(arena.settings, told) is waits
    assert "unfilledtimeout" in decided.parameters


def test_ticks_change_with_the_month(arena, case_of):
    """A tick holds from its month on; before the first one the exchange's does."""
    market = candle_tables.market(arena.tables, arena.settings, arena.settings.search)
    month = market.open_ms.astype("datetime64[ms]").astype("datetime64[M]")
    starts = np.unique(month).astype("datetime64[ms]").astype(np.int64)
    case = case_of()
    ticks = {BTC: [(int(starts[1]), 0.1)], ETH: [(int(starts[1]), 0.1), (int(starts[2]), 0.001)]}
    made = inputs.course(
        case.strategy, arena.settings, arena.tables, market, arena.markets, ticks, case.claim.decisions
    )
    usual = [round(1 / arena.markets[pair]["precision"]["price"]) for pair in (BTC, ETH)]
    assert made.tick.tolist() == [[usual[0], 10, 10], [usual[1], 10, 1000]]
    assert (made.month == month.astype(int) - month.astype(int)[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["signals", "trailing from an offset", "targets", "long warm-up"])
def test_a_stretch_is_replayed_as_if_the_range_began_and_ended_there(arena, name):
    file = strategy(arena.settings, "Probe", extra=FEATURES[name])
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    file.unlink()
    times = arena.market.open_ms
    for first, last in ((0, 300), (400, 1000), (1, 2), (1100, len(times) - 1)):
        stretch = (int(times[first]), int(times[last]))
        task = client.Task("backtest", arena.settings.search, arena.markets, stretch=stretch)
        claim = client.backtest(told, arena.settings, task, arena.tables)
        assert claim.stretch == stretch
        ticks = scenarios.ticks(arena.tables, arena.settings.search.start_ms - claim.startup * arena.settings.step_ms)
        made = inputs.described(told, arena.settings, arena.tables, arena.market, arena.markets, ticks, claim.decisions)
        part = inputs.replayed(inputs.part(made, arena.market, *stretch), arena.settings, claim.decisions)
        assert inputs.difference(inputs.orders(part, arena.market), claim.orders, arena.market) == ""
        assert len(claim.orders.price) > 10 or last - first < 10


def test_callbacks_are_run_over_the_whole_range_whatever_the_stretch(arena):
    file = strategy(arena.settings, "Probe", callbacks="def custom_exit(self, *args, **kwargs):\n    return None")
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    file.unlink()
    stretch = (int(arena.market.open_ms[100]), int(arena.market.open_ms[200]))
    claim = client.backtest(
        told,
        arena.settings,
        client.Task("backtest", arena.settings.search, arena.markets, stretch=stretch),
        arena.tables,
    )
    assert claim.stretch is None
    assert claim.orders.filled_ms[-1] > stretch[1]
