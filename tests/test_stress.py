"""Harder terms change the result in the direction that they must, and equal a run that was really made under them."""

import dataclasses

import numpy as np
import pytest
from arenas import cased, prepared, strategy
from builders import market as made_of
from builders import orders as told

from arena.accounting import booking
from arena.accounting.replay import inputs, simulator
from arena.accounting.replay.simulator import ENTER
from arena.checks import stress
from arena.evaluation import context, engines
from arena.ledger import strategy_files
from arena.records import Stress
from arena.sandbox import client
from arena.stats import metrics

BTC, ETH = "BTC/USDT", "ETH/USDT"


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    settings = prepared(tmp_path_factory.mktemp("arena"))
    client.warm_up()
    return context.open_arena(settings, record=False, causality="quick")


@pytest.fixture(scope="module")
def case(arena):
    return cased(strategy(arena.settings, "Probe", extra="stoploss = -0.03\ntrailing_stop = True"), arena)


@pytest.fixture(scope="module")
def described(arena, case):
    return inputs.described(
        case.strategy, arena.settings, arena.tables, arena.market, arena.markets, case.ticks, case.claim.decisions
    )


def sharpe(arena, orders, *, fee=None, since_ms=None):
    """As it is booked."""
    settings, market = arena.settings, arena.market
    book = booking.book(
        market,
        orders,
        wallet=settings.wallet,
        fee=settings.fee if fee is None else fee,
        slots=settings.max_open_trades + 1,
    )
    days = metrics.daily_equity(market.open_ms, book.equity_open)
    if since_ms is not None:
        days = days[int((since_ms - market.open_ms[0]) // metrics.DAY_MS) :]
    return metrics.sharpe(days[1:] / days[:-1] - 1)


def test_a_replay_under_other_terms_equals_its_booked_orders(arena, described):
    made = stress._Replays(arena.market, arena.settings, described)
    assert made.sharpe() == pytest.approx(
        sharpe(arena, inputs.orders(simulator.replay(*described), arena.market)), rel=1e-9
    )
    dear = described._replace(account=inputs.account_of(arena.settings, 0.003))
    assert made.sharpe(fee=0.003) == pytest.approx(
        sharpe(arena, inputs.orders(simulator.replay(*dear), arena.market), fee=0.003), rel=1e-9
    )
    more = described._replace(account=described.account._replace(slots=3.0))
    assert made.sharpe(slots=3.0) == pytest.approx(
        sharpe(arena, inputs.orders(simulator.replay(*more), arena.market)), rel=1e-9
    )


def test_every_figure_is_there_and_dearer_is_worse(arena, case, described):
    found = stress.of(arena.market, arena.settings, case.claim.orders, described, np.random.default_rng(1))
    assert not found.missing
    assert not [
        field.name
        for field in dataclasses.fields(Stress)
        if field.name != "missing" and np.isnan(getattr(found, field.name))
    ]
    own = stress._Replays(arena.market, arena.settings, described).sharpe()
    assert own > found.fee_x2 > found.fee_x3
    assert own > found.without_top5
    assert found.worst_start < own or found.worst_pair_out < own
    assert len({found.late_1, found.slot_less, found.slot_more, own}) == 4
    assert 0 < found.timing_p <= 1


def test_signals_one_candle_later_are_entries_one_candle_later(arena, described):
    later = described._replace(course=described.course._replace(flags=stress._later(described.course).flags))
    now, then = simulator.replay(*described), simulator.replay(*later)
    assert abs(len(now.pair) - len(then.pair)) < 0.2 * len(now.pair)
    first = {p: (now.opened[now.pair == p].min(), then.opened[then.pair == p].min()) for p in np.unique(now.pair)}
    assert all(b == a + 1 for a, b in first.values())


def test_a_pair_that_is_left_out_makes_no_trade(described):
    found = simulator.replay(*described._replace(course=stress._without(described.course, 0)))
    assert set(found.pair.tolist()) == {1}


def test_the_shifts_are_the_generators(arena, case, described):
    def p(seed):
        return stress.of(
            arena.market, arena.settings, case.claim.orders, described, np.random.default_rng(seed)
        ).timing_p

    assert p(1) == p(1)
    assert p(1) == pytest.approx(p(2), abs=0.06)


@pytest.mark.slow
def test_timing_tells_a_strategy_that_knows_when_from_one_that_does_not(arena):
    """The first sees six hours ahead; the second enters at hours that mean nothing."""
    ahead = 'dataframe["fast"] = dataframe["close"].shift(-6)\ndataframe["slow"] = dataframe["close"] * 1.01'
    blind = 'hour = dataframe["date"].dt.hour\ndataframe["fast"], dataframe["slow"] = (hour < 7).astype(float), 0.5'
    found = {}
    for name, lines in (("Ahead", ahead), ("Blind", blind)):
        case = cased(strategy(arena.settings, name, indicators=lines), arena)
        made = inputs.described(
            case.strategy, arena.settings, arena.tables, arena.market, arena.markets, case.ticks, case.claim.decisions
        )
        found[name] = stress.of(
            arena.market, arena.settings, case.claim.orders, made, np.random.default_rng(1)
        ).timing_p
    assert found["Ahead"] == pytest.approx(1 / (1 + stress.SHIFTS))
    assert found["Blind"] > 0.02


SIZED = (
    "def custom_stake_amount(self, pair, proposed_stake, **kwargs):\n"
    "    return proposed_stake * (self.dp.get_analyzed_dataframe(pair, self.timeframe)[0]['slow'].iloc[-1] % 0.7 + "
    "0.1)\n"
)


@pytest.fixture(scope="module")
def sized(arena):
    """A strategy whose stakes follow its candles, with what is needed to replay it."""
    file = strategy(arena.settings, "Sized", callbacks=SIZED)
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    _, engine = engines.claimed(told, arena)
    file.unlink()
    assert len(np.unique(engine.described.course.scale)) > 1000
    return engine.described


def test_stakes_are_known_wherever_a_signal_stands(sized):
    entries = sized.course.flags & ENTER != 0
    assert np.isfinite(sized.course.scale[entries]).all() and np.isnan(sized.course.scale[~entries]).all()


def test_stakes_move_one_candle_with_their_signals(sized):
    base, later = sized.course, stress._later(sized.course)
    assert np.array_equal(later.flags[:, 2:] & ENTER, base.flags[:, 1:-1] & ENTER)
    entries = later.flags[:, 2:] & ENTER != 0
    assert np.array_equal(later.scale[:, 2:][entries], base.scale[:, 1:-1][entries])


def test_stakes_are_shifted_with_their_signals(arena, sized, monkeypatch):
    shifted = []

    class Watched(stress._Replays):
        def sharpe(self, *, course=None, **terms):
            if course is not None:
                shifted.append((course.flags.copy(), course.scale.copy()))
            return super().sharpe(course=course, **terms)

    monkeypatch.setattr(stress, "SHIFTS", 20)
    p = Watched(arena.market, arena.settings, sized).timing(np.random.default_rng(3))
    n, least = sized.course.flags.shape[1], 24 * stress.LEAST_DAYS
    shifts = np.random.default_rng(3).integers(least, n - least + 1, size=20)
    assert 0 < p <= 1 and len(shifted) == 20
    for shift, (flags, scale) in zip(shifts, shifted, strict=True):
        assert np.array_equal(flags, np.roll(sized.course.flags, shift, axis=1))
        assert np.array_equal(scale, np.roll(sized.course.scale, shift, axis=1), equal_nan=True)


def test_every_figure_of_sized_stakes_is_there_and_follows_from_them(arena, sized):
    def found(made):
        return stress.of(
            arena.market,
            arena.settings,
            inputs.orders(simulator.replay(*made), arena.market),
            made,
            np.random.default_rng(1),
        )

    figures = [field.name for field in dataclasses.fields(Stress) if field.name != "missing"]
    own, other = found(sized), found(sized._replace(course=sized.course._replace(scale=sized.course.scale / 2)))
    assert not own.missing and not [name for name in figures if np.isnan(getattr(own, name))]
    assert not [name for name in figures if name != "timing_p" and getattr(own, name) == getattr(other, name)]


def test_what_would_enter_with_an_unknown_stake_is_undefined(arena, sized):
    made = stress._Replays(arena.market, arena.settings, sized)
    entered = {
        (int(p), int(k))
        for p, k in zip(*(getattr(simulator.replay(*sized), name) for name in ("pair", "opened")), strict=True)
    }
    elsewhere = next(
        at for at in zip(*np.nonzero(sized.course.flags & ENTER), strict=True) if tuple(map(int, at)) not in entered
    )
    scale = sized.course.scale.copy()
    scale[elsewhere] = np.nan
    unsure = stress._Replays(arena.market, arena.settings, sized._replace(course=sized.course._replace(scale=scale)))
    assert unsure.sharpe() == made.sharpe()  # nobody enters there
    assert np.isnan(unsure.timing(np.random.default_rng(1)))  # a copy may
    unknown = sized.course._replace(scale=np.full_like(scale, np.nan))
    assert np.isnan(made.sharpe(course=unknown))


def test_booked_orders_are_counted_again(arena, case):
    found = stress.of(arena.market, arena.settings, case.claim.orders, None, np.random.default_rng(1))
    assert found.missing == ("worst_start", "slot_less", "slot_more", "timing_p")
    assert all(np.isnan(getattr(found, name)) for name in found.missing)
    again = stress._Orders(arena.market, arena.settings, case.claim.orders)
    own = again.sharpe()
    assert own == pytest.approx(sharpe(arena, case.claim.orders), rel=1e-9)
    assert own > found.fee_x2 > found.fee_x3
    assert found.without_top5 < own
    assert found.late_1 != own
    without = [again.sharpe(kept=case.claim.orders.pair != p) for p in (0, 1)]
    assert found.worst_pair_out == min(without)


def test_orders_are_numbered_by_trade_from_flat_to_flat():
    made = told((0, 1, "buy", 10, 1), (1, 1, "buy", 5, 2), (0, 2, "buy", 11, 1), (0, 3, "sell", 12, 1.5), (1, 3, "sell", 6, 2), (0, 4, "sell", 12, 0.5),
                (0, 6, "buy", 9, 1))  # fmt: skip
    assert stress._trades(made).tolist() == [0, 1, 0, 0, 1, 0, 2]


def test_a_late_order_has_the_next_candles_open(arena):
    market = made_of([(10, 10, 10, 10), (10, 12, 10, 12), (12, 12, 12, 12), (15, 15, 15, 15), (15, 15, 15, 15)])
    again = stress._Orders(market, arena.settings, told((0, 1, "buy", 10, 1), (0, 2, "sell", 12, 1)))
    wallet = arena.settings.wallet
    assert again.curve(fee=0.0)[-1] == wallet + 2
    assert again.curve(fee=0.0, **again.later())[-1] == wallet + 3  # bought at 12, sold at 15
    at_the_end = stress._Orders(market, arena.settings, told((0, 1, "buy", 10, 1), (0, 4, "sell", 15, 1)))
    assert at_the_end.later()["price"].tolist() == [12, 15]
