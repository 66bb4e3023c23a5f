"""Under other names a market is the same to a rule about it, and tells the date through none of its numbers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from builders import DAY, HOUR, START, START_MS
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.checks import relabelled_market
from arena.checks.relabelled_market import relabelled
from arena.records import Window

A, B, C = "BTC/USDT", "ETH/USDT", "SOL/USDT"
WEEK = 7 * DAY
N = 300 * 24
COUNTED = Window("search", START + timedelta(days=60), START + timedelta(days=280))
CENTS = {pair: [(START_MS, 0.01)] for pair in (A, B, C)}


def market(n=N, *, seed=1, start=1000.0, step=HOUR, decimals=2, first_ms=START_MS):
    """
    Candles as an exchange has them: an open is the close before it or a tick beside it, some have no wick, and volumes
    come in waves.
    """
    rng = np.random.default_rng(seed)
    tick = 10.0**-decimals
    closes = start * np.exp(0.004 * rng.standard_normal(n).cumsum())
    opens = np.concatenate([[start], closes[:-1]])
    opens, closes = np.round(opens, decimals), np.round(closes, decimals)
    opens += tick * rng.choice([-1, 0, 1], n, p=[0.3, 0.4, 0.3])
    high = np.maximum(opens, closes) * (1 + np.where(rng.random(n) < 0.1, 0.0, 0.002 * rng.random(n)))
    low = np.minimum(opens, closes) * (1 - np.where(rng.random(n) < 0.1, 0.0, 0.002 * rng.random(n)))
    prices = np.round(np.maximum(np.column_stack([opens, high, low, closes]), tick), decimals)
    prices[:, 1], prices[:, 2] = prices.max(axis=1), prices.min(axis=1)
    wave = np.convolve(rng.standard_normal(n + 11), np.ones(12) / 4, mode="valid")
    return np.column_stack(
        [first_ms + step * np.arange(n), prices, np.exp(6 + wave + 0.4 * rng.standard_normal(n)).round(3)]
    )


def world(tables, seed=1, *, tick=CENTS, counted=COUNTED, step=HOUR):
    return relabelled(tables, tick, counted, step, np.random.default_rng(seed))


def beside(made, table, pair=A):
    """
    Candles of the market and of the relabelled one that have the same place in it, gaps left out: two tables of one
    length.
    """
    new = made.tables[pair]
    common, mine, theirs = np.intersect1d(table[:, 0] + made.shift_ms, new[:, 0], return_indices=True)
    assert len(common) > 0.9 * len(table)
    return table[mine], new[theirs]


def is_a_market(table):
    prices = table[:, 1:5]
    return bool(
        np.isfinite(table).all() and (prices > 0).all() and (table[:, 2] == prices.max(axis=1)).all()
        and (table[:, 3] == prices.min(axis=1)).all() and (np.diff(table[:, 0]) > 0).all() and (table[:, 5] >= 0).all()
    )  # fmt: skip


def on_tick(prices, decimals):
    return all(float(f"{price:.{decimals}f}") == price for price in np.ravel(prices))


def known(keys, of):
    """Share of the keys of these candles by which a table of the others would find the very same candle."""
    return float(np.mean(np.all([np.round(a) == np.round(b) for a, b in zip(keys, of, strict=True)], axis=0)))


# ---- what is not there any more ----


@pytest.mark.parametrize("seed", range(8))
def test_dates_move_back_by_whole_weeks_and_never_by_about_a_year(seed):
    made = world({A: market(), B: market(seed=2)}, seed)
    assert made.shift_ms % WEEK == 0
    assert 8 * WEEK <= -made.shift_ms <= 44 * WEEK
    old, new = beside(made, market())
    assert (new[:, 0] - old[:, 0] == made.shift_ms).all()


def test_prices_volumes_and_turnovers_have_factors_of_their_own():
    table, factors = market(), []
    for seed in range(60):
        made = world({A: table, B: market(seed=2)}, seed)
        for pair, whole in ((A, table), (B, market(seed=2))):
            old, new = beside(made, whole, pair)
            factors.append([np.median(new[:, k] / old[:, k]) for k in (1, 5)])
    price, volume = np.log(factors).T
    assert (np.abs(price) > np.log(1.5)).all()
    assert (np.abs(volume) > np.log(1.2)).all()
    assert ((np.abs(price + volume) > np.log(1.4)) & (np.abs(price + volume) < np.log(2.8))).all()
    assert -0.95 < np.corrcoef(price, volume)[0, 1] < 0  # of turnover something stays, of the factor nothing follows
    assert len({*np.round(price, 6)}) == len(factors)


CHANNELS = {
    "turnover in steps of two per cent": lambda t: [np.log(t[:, 4] * t[:, 5]) * 50],
    "two ratios of volumes": lambda t: [50 * np.log(t[2:, 5] / t[1:-1, 5]), 50 * np.log(t[1:-1, 5] / t[:-2, 5])],
    "a day's volume beside the next one's": lambda t: [100 * np.log(days(t)[24:] / days(t)[:-24])],
    "close beside open, in basis points": lambda t: [1e4 * np.log(t[:, 4] / t[:, 1])],
    "high beside low, in basis "
    "points": lambda t: [1e4 * np.log(t[1:, 2] / t[1:, 3]), 1e4 * np.log(t[:-1, 2] / t[:-1, 3])],
    "both wicks, in basis "
    "points": lambda t: [1e4 * np.log(t[:, 2] / tops(t)), 1e4 * np.log(t[:, [1, 4]].min(axis=1) / t[:, 3])],
    "where twenty opens are the close before": lambda t: [bits(t[1:, 1] == t[:-1, 4], 20)],
    "which twenty candles have no upper wick": lambda t: [bits(t[:, 2] == tops(t), 40)],
}  # fmt: skip


def tops(table):
    return table[:, [1, 4]].max(axis=1)


def days(table):
    """Volume of the day that ends with each candle."""
    total = np.concatenate([[0.0], table[:, 5].cumsum()])
    return total[24:] - total[:-24]


def bits(values, n):
    return sum(values[k : len(values) - n + k].astype(np.int64) << k for k in range(n)).astype(float)


@pytest.mark.parametrize("name", CHANNELS)
def test_a_candle_is_not_known_again_by(name):
    old, new = beside(world({A: market()}), market())
    keys = CHANNELS[name]
    assert known(keys(old), keys(old)) == 1
    assert known(keys(new), keys(old)) < 0.25


def test_holes_are_elsewhere_at_the_same_hour_of_the_week_and_as_many():
    table = market()
    missing = np.array([50 * 24 + 5, 100 * 24 + 7, 100 * 24 + 8, 150 * 24, 200 * 24 + 20])
    kept = np.delete(table, missing, axis=0)
    made = world({A: kept}).tables[A]
    inside = slice(
        *np.searchsorted(made[:, 0], [START_MS + world({A: kept}).shift_ms, table[-1, 0] + world({A: kept}).shift_ms])
    )
    grid = np.arange(made[inside][0, 0], made[inside][-1, 0] + 1, HOUR)
    holes = (np.setdiff1d(grid, made[:, 0]) - world({A: kept}).shift_ms - START_MS) / HOUR
    assert len(holes) == len(missing)
    assert not set(holes) & set(missing)
    assert sorted(holes % 168) == sorted(missing % 168)


def test_where_holes_move_prices_elsewhere_stay():
    table = np.delete(market(), [3000, 3001, 3002, 5000], axis=0)
    old, new = beside(world({A: table}), table)
    level = np.log(new[:, 4] / old[:, 4])
    assert np.ptp(level) < 0.02


def test_quiet_candles_move_and_stay_flat_without_volume():
    table = market()
    quiet = np.array([1000, 2500, 2501, 4000])
    table[quiet, 1:5], table[quiet, 5] = table[quiet - 1, 4][:, None], 0.0
    table[2501, 1:5] = table[2500, 4]
    made = world({A: table})
    old, new = beside(made, table)
    found = np.flatnonzero(new[:, 5] == 0)
    assert len(found) == len(quiet)
    assert not {*old[found, 0]} & {*table[quiet, 0]}
    assert (new[found, 1:5] == new[found, 1][:, None]).all()
    assert (np.diff(np.flatnonzero(made.tables[A][:, 5] == 0)) == 1).any()  # two of them stay together


def test_a_market_without_any_volume_has_none_there_either():
    table = market()
    table[:, 5] = 0
    made = world({A: table}).tables[A]
    assert (made[:, 5] == 0).all()
    assert (made[:, 2] > made[:, 3]).mean() > 0.9


def test_a_hole_of_every_week_stays():
    days = market(300, step=DAY)
    weekdays = days[((days[:, 0] // DAY) + 3) % 7 < 5]
    made = world({A: weekdays}, step=DAY).tables[A]
    assert (((made[:, 0] // DAY) + 3) % 7 < 5).all()


def test_ticks_of_months_are_one_tick():
    table = market(decimals=1)
    table[:2000, 1:5] += 0.0001  # months of finer prices
    ticks = {A: [(START_MS, 1e-4), (START_MS + 2000 * HOUR, 0.1)]}
    made = world({A: table}, tick=ticks)
    prices = made.tables[A][:, 1:5]
    assert [size for _, size in made.ticks[A]] == pytest.approx([1e-5])
    assert made.ticks[A][0][0] <= made.tables[A][0, 0]
    assert on_tick(prices[:50], 5)
    for rows in (slice(0, 1000), slice(-1000, None)):
        assert not on_tick(prices[rows], 4)


def test_whole_prices_and_no_candles_are_no_obstacle():
    made = world({A: np.empty((0, 6)), B: market(decimals=0, start=50_000.0)}, tick={})
    assert made.tables[A].shape == (0, 6)
    assert made.ticks[A] == []
    assert is_a_market(made.tables[B])
    assert on_tick(made.tables[B][:, 1:5], 1)


def margins(made):
    return made.early_ms / DAY, made.late_ms / DAY


def test_a_run_begins_and_ends_elsewhere_and_has_candles_there():
    drawn = []
    for seed in range(40):
        made = world({A: market(), B: market(seed=2)}, seed)
        early, late = margins(made)
        drawn.append((early, late))
        assert 220 // 12 <= early <= 220 // 4
        assert 220 // 24 <= late <= 220 // 6
        for table in made.tables.values():
            assert table[0, 0] < START_MS + made.shift_ms - made.early_ms  # as much warm-up as before
            assert table[-1, 0] >= COUNTED.end_ms + made.shift_ms + made.late_ms
    early, late = np.array(drawn).T
    assert len(set(early)) > 15
    assert len(set(late)) > 10


def test_the_first_date_tells_no_shift():
    starts = {
        round((made.tables[A][0, 0] - START_MS - made.shift_ms) / DAY)
        for made in (world({A: market()}, seed) for seed in range(40))
    }
    assert len(starts) > 25
    assert max(starts) < 0


def test_a_late_listing_is_another_one():
    before = market(N - 24 * 30, seed=2, first_ms=START_MS + 30 * DAY)  # there when the counted range begins
    inside = market(N - 24 * 120, seed=3, first_ms=START_MS + 120 * DAY)
    sooner, later = set(), set()
    for seed in range(30):
        made = world({A: market(), B: before, C: inside}, seed)
        sooner.add((made.tables[B][0, 0] - made.tables[A][0, 0]) / DAY)
        later.add((inside[0, 0] + made.shift_ms - made.tables[C][0, 0]) / DAY)
    assert len(sooner) > 10
    assert len(later) > 10
    assert all(-28 <= days <= -1 for days in later)
    assert max(sooner) < 30


def test_a_pair_that_goes_before_the_end_goes_sooner():
    short = market(200 * 24, seed=2)
    made = world({A: market(), B: short})
    assert 0 < (short[-1, 0] + made.shift_ms - made.tables[B][-1, 0]) / DAY <= 14


def test_candles_before_and_behind_are_nothing_that_comes_in_the_counted_range():
    """A rule that looks for what came before must not find there what will come."""
    made = world({A: market()})
    table = made.tables[A]
    body = np.log(table[:, 4] / table[:, 1])
    lead = int((START_MS + made.shift_ms - table[0, 0]) // HOUR)
    some = [body[at : at + 120] for at in range(0, lead - 120, 120)]
    best = max(
        abs(np.corrcoef(part, body[at : at + 120])[0, 1]) for part in some for at in range(lead, len(body) - 120, 24)
    )
    assert len(some) >= 4
    assert best < 0.6  # of five days


# ---- what stays ----


def test_moves_ranges_and_volumes_beside_their_usual_ones_stay():
    old, new = beside(world({A: market()}), market())
    for measure in (
        lambda t: np.log(t[:, 4] / t[:, 1]), lambda t: np.log(t[:, 2] / t[:, 3]), lambda t: np.log(t[24:, 4] / t[:-24, 4]),
        lambda t: np.log(t[200:, 5] / np.convolve(t[:, 5], np.ones(200) / 200, mode="valid")[:-1]),
    ):  # fmt: skip
        assert np.corrcoef(measure(old), measure(new))[0, 1] > 0.97


def test_a_spike_of_volume_stays_one():
    old, new = beside(world({A: market()}), market())
    spikes = [t[20:, 5] > 2 * np.convolve(t[:, 5], np.ones(20) / 20, mode="valid")[:-1] for t in (old, new)]
    assert 0.02 < spikes[0].mean() < 0.5
    assert (spikes[0] == spikes[1]).mean() > 0.97


def test_moves_of_a_month_are_what_they_were():
    old, new = beside(world({A: market()}), market())
    month = [np.log(t[720:, 4] / t[:-720, 4]) for t in (old, new)]
    assert np.abs(month[0] - month[1]).max() < 0.01


def test_as_many_opens_are_the_close_before_and_as_many_candles_have_no_wick():
    old, new = beside(world({A: market()}), market())
    joined = [(t[1:, 1] == t[:-1, 4]).mean() for t in (old, new)]
    without = [(t[:, 2] == tops(t)).mean() for t in (old, new)]
    assert joined[1] == pytest.approx(joined[0], abs=0.03)
    assert without[1] == pytest.approx(without[0], abs=0.03)


def test_gaps_of_a_market_that_closes_overnight_stay():
    days = market(300, step=DAY)
    days[1:, 1:5] *= np.exp(0.02 * np.random.default_rng(5).standard_normal(299))[:, None]
    old, new = beside(world({A: days}, step=DAY), days)
    gaps = [np.log(t[1:, 1] / t[:-1, 4]) for t in (old, new)]
    assert np.corrcoef(*gaps)[0, 1] > 0.95


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 400), st.integers(0, 5), st.floats(0, 0.9))
def test_a_relabelled_market_is_a_market_on_its_tick(seed, n, decimals, missing):
    table = market(n, seed=seed, decimals=decimals)
    table = table[np.random.default_rng(seed).random(n) >= missing]
    made = world({A: table}, seed, tick={A: [(START_MS, 10.0**-decimals)]})
    assert is_a_market(made.tables[A])
    assert on_tick(made.tables[A][:, 1:5], decimals + 1)


def test_prices_of_a_few_billionths_are_no_obstacle():
    table = market()
    table[:, 1:5] *= 1e-12
    made = world({A: table}, tick={A: [(START_MS, 1e-14)]})
    assert is_a_market(made.tables[A])


def test_the_same_seed_makes_the_same_world_and_leaves_the_market_alone():
    table = market()
    first, other = (world({A: table}, 7) for _ in range(2))
    assert first.tables[A].tobytes() == other.tables[A].tobytes()
    assert replace(first, tables={}) == replace(other, tables={})
    assert table.tobytes() == market().tobytes()
    assert world({A: table}, 8).tables[A].tobytes() != first.tables[A].tobytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [("JITTER", (0.0, 0.03)), ("JITTER", (0.12, 0.0)), ("VOLUME_JITTER", (0.0, 0.05)), ("VOLUME_JITTER", (0.08, 0.0)), ("WICK_JITTER", 0.0),
     ("SMALL_TICKS", 0.0), ("SMALL_SHARE", 0.0), ("HOLE_WEEKS", 1), ("USUAL_DAYS", 2), ("EARLY", (6, 2)), ("LATE", (6, 2))],
)  # fmt: skip
def test_each_constant_changes_the_world(monkeypatch, name, value):
    table, whole = np.delete(market(decimals=0), 3000, axis=0), {A: [(START_MS, 1.0)]}
    before = world({A: table}, tick=whole).tables[A]
    monkeypatch.setattr(relabelled_market, name, value)
    assert world({A: table}, tick=whole).tables[A].tobytes() != before.tobytes()


def test_a_short_counted_range_has_its_margins_too():
    counted = Window("search", datetime(2021, 3, 2, tzinfo=UTC), datetime(2021, 3, 5, tzinfo=UTC))
    for seed in range(10):
        assert all(7 <= days <= 14 for days in margins(world({A: market()}, seed, counted=counted)))
