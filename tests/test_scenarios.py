"""
Worlds that share a past: what lies before stays bit for bit, what comes after could be a market of the same exchange.
"""

import numpy as np
import pytest
from builders import DAY, HOUR, START_MS
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.market.scenarios import (
    DETOURS,
    Ticks,
    closed_otherwise,
    continued,
    cut,
    detoured,
    reached_otherwise,
    ticks,
    traded_otherwise,
    turned,
)

A, B = "BTC/USDT", "ETH/USDT"
WEEK = 7 * DAY
FEBRUARY, MARCH = START_MS + 31 * DAY, START_MS + 59 * DAY
CENTS: Ticks = {A: [(START_MS, 0.01)], B: [(START_MS, 0.01)]}


def table(*candles, first=0, step=HOUR):
    """Candles (open, high, low, close) from the hour `first` on; volumes are 10, 11, 12 …"""
    return np.array([(START_MS + (first + k) * step, *candle, 10 + k) for k, candle in enumerate(candles)], dtype=float)


def walk(n, *, seed=1, start=100.0, decimals=2, step=HOUR, sigma=0.01):
    """n candles of a random walk whose closes are the next opens, at a tick of 10**-decimals."""
    rng = np.random.default_rng(seed)
    path = np.round(start * np.exp(sigma * rng.standard_normal(n + 1).cumsum()), decimals)
    high = np.round(np.maximum(path[:-1], path[1:]) * (1 + sigma * rng.random(n)), decimals)
    low = np.round(np.minimum(path[:-1], path[1:]) * (1 - sigma * rng.random(n)), decimals)
    time = START_MS + step * np.arange(n)
    volume = rng.uniform(1, 2, n)
    return np.column_stack([time, path[:-1], np.maximum(high, path[:-1]), np.minimum(low, path[:-1]), path[1:], volume])


def is_a_market(made):
    prices = made[:, 1:5]
    return (
        np.isfinite(made).all()
        and (prices > 0).all()
        and (made[:, 2] == prices.max(axis=1)).all()
        and (made[:, 3] == prices.min(axis=1)).all()
        and (np.diff(made[:, 0]) > 0).all()
    )


def on_tick(prices, decimals):
    """Digit for digit: a price that is printed has no more decimals than its tick."""
    return all(float(f"{price:.{decimals}f}") == price for price in np.ravel(prices))


# cut


def test_a_cut_has_the_candle_at_its_start_and_not_the_one_at_its_end():
    made = cut({A: walk(10), B: walk(3)}, START_MS + 2 * HOUR, START_MS + 5 * HOUR)
    assert made[A].tolist() == walk(10)[2:5].tolist()
    assert made[B].tolist() == walk(3)[2:].tolist()


def test_a_cut_without_a_border_goes_on():
    assert cut({A: walk(10)}, None, START_MS + 5 * HOUR)[A].tolist() == walk(10)[:5].tolist()
    assert cut({A: walk(10)}, START_MS + 5 * HOUR, None)[A].tolist() == walk(10)[5:].tolist()
    assert cut({A: walk(10)}, None, None)[A].tolist() == walk(10).tolist()


def test_a_cut_shares_no_memory_with_what_it_was_cut_from():
    whole = walk(10)
    cut({A: whole}, None, None)[A][:] = 0
    assert whole.tolist() == walk(10).tolist()


def test_pieces_of_a_cut_are_the_whole():
    at = START_MS + 4 * HOUR
    assert np.concatenate([cut({A: walk(9)}, None, at)[A], cut({A: walk(9)}, at, None)[A]]).tolist() == walk(9).tolist()


# ticks


def test_a_months_tick_is_its_longest_price():
    days = table((1.5, 2, 1, 1.25), (1.25, 2, 1, 2), (2, 3, 2, 2.5), step=31 * DAY)  # January, February, March
    assert ticks({A: days}, START_MS) == {A: [(START_MS, 0.01), (FEBRUARY, 0.01), (MARCH, 0.1)]}


def test_a_month_of_whole_prices_has_no_tick():
    days = table((1, 2, 1, 2), (2, 2.5, 2, 2), (2, 3, 2, 3), step=31 * DAY)
    assert ticks({A: days, B: table((1, 1, 1, 1))}, START_MS) == {A: [(FEBRUARY, 0.1)], B: []}


def test_ticks_come_from_the_candles_that_freqtrade_loads():
    hours = table((1.125, 2, 1, 2), (2, 2.5, 2, 2))
    assert ticks({A: hours}, START_MS) == {A: [(START_MS, 0.001)]}
    assert ticks({A: hours}, START_MS + HOUR) == {A: [(START_MS, 0.1)]}
    assert ticks({A: hours}, START_MS + 2 * HOUR) == {A: []}


# turned


def test_a_turn_is_worked_out_by_hand():
    before = table((90, 101, 89, 100), (100, 110, 95, 105), (105, 120, 100, 110))
    made = turned({A: before}, START_MS + HOUR, 1.0, CENTS)[A]
    assert (
        made.tolist()
        == table(
            (90, 101, 89, 100),
            (100, 105.26, 90.91, 95.24),  # 10000/95, 10000/110, 10000/105
            (95.24, 100, 83.33, 90.91),  # 10000/105, 10000/100, 10000/120, 10000/110
        ).tolist()
    )


def test_a_negative_power_stretches_what_happened():
    made = turned({A: table((100, 110, 95, 105), (105, 120, 100, 110))}, START_MS, -2.0, CENTS)[A]
    assert made[:, 1:5].tolist() == [[100, 121, 90.25, 110.25], [110.25, 144, 100, 121]]


def test_a_smaller_power_turns_less():
    made = turned({A: table((100, 121, 100, 121))}, START_MS, 0.5, CENTS)[A]
    assert made[0, 1:5].tolist() == [100, 100, 90.91, 90.91]  # 100 * sqrt(100/121)


@pytest.mark.parametrize("power", [1.0, 0.6, 1.5, -2.0])
def test_candles_before_the_turn_are_the_same_bit_for_bit(power):
    whole, at = walk(50), START_MS + 20 * HOUR
    made = turned({A: whole}, at, power, CENTS)[A]
    assert made[:20].tobytes() == whole[:20].tobytes()
    assert made[20, 1] == whole[20, 1]
    assert (made[20:, 4] != whole[20:, 4]).all()
    assert made[:, [0, 5]].tobytes() == whole[:, [0, 5]].tobytes()


def test_the_tables_that_were_given_stay_as_they_were():
    given_tables = {A: walk(20), B: walk(20, seed=2)}
    turned(given_tables, START_MS, 1.0, CENTS)
    continued(given_tables, START_MS + 19 * HOUR, HOUR, CENTS)
    assert given_tables[A].tolist() == walk(20).tolist()
    assert given_tables[B].tolist() == walk(20, seed=2).tolist()


def test_a_turn_undoes_a_turn_up_to_rounding():
    whole, fine = walk(200), {A: [(START_MS, 1e-8)]}
    at = START_MS + 30 * HOUR
    once = turned({A: whole}, at, 1.0, fine)
    twice = turned(once, at, 1.0, fine)[A]
    assert np.abs(once[A][31:, 1:5] / whole[31:, 1:5] - 1).max() > 0.05
    assert twice == pytest.approx(whole, rel=1e-9)
    coarse = turned(turned({A: whole}, at, 1.0, CENTS), at, 1.0, CENTS)[A]
    assert coarse[:, 1:5] == pytest.approx(whole[:, 1:5], abs=0.02)  # half a cent there and half a cent back


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(0, 60),
    st.sampled_from([1.0, 0.6, -2.0]),
    st.integers(0, 4),
    st.sampled_from([0.05, 3.0, 4e4]),
)
def test_a_turned_market_is_a_market_on_its_ticks(seed, at, power, decimals, start):
    whole = walk(50, seed=seed, decimals=decimals, start=max(start, 10.0 ** (1 - decimals)), sigma=0.05)
    whole[:, 1:5] = np.maximum(whole[:, 1:5], 10.0**-decimals)
    made = turned({A: whole}, START_MS + at * HOUR, power, {A: [(START_MS, 1 / 10**decimals)]})[A]
    assert is_a_market(made)
    assert on_tick(made[:, 1:5], decimals)


def test_the_first_open_stays_even_when_another_month_would_round_it():
    made = turned({A: table((100.05, 100.05, 100.05, 100.05))}, START_MS, 1.0, {A: [(START_MS, 1.0)]})[A]
    assert made[0, 1:5].tolist() == [100.05, 100.05, 100, 100]


def test_each_month_is_rounded_to_its_own_tick():
    # 1 and 31 January, 2 March, 1 April
    days = table((3, 3, 3, 3), (7, 7, 7, 7), (7, 7, 7, 7), (7, 7, 7, 7), step=30 * DAY)
    tick = {A: [(START_MS, 0.1), (FEBRUARY, 1e-4), (MARCH, 0.01)]}
    assert turned({A: days}, START_MS, 1.0, tick)[A][:, 4].tolist() == [3, 1.3, 1.29, 1.29]  # 9/7 = 1.285714
    days[2, 0] = FEBRUARY
    assert turned({A: days}, START_MS, 1.0, tick)[A][:, 4].tolist() == [3, 1.3, 1.2857, 1.29]


def test_before_the_first_month_that_has_a_tick_its_tick_holds():
    assert (
        turned({A: table((3, 3, 3, 3), (7, 7, 7, 7))}, START_MS, 1.0, {A: [(FEBRUARY, 0.001), (MARCH, 1.0)]})[A][1, 4]
        == 1.286
    )


def test_a_price_falls_to_one_tick_and_never_to_nothing():
    made = turned({A: table((1, 1, 1, 1), (1000, 1000, 1000, 1000))}, START_MS, 1.5, CENTS)[A]
    assert made[1, 1:5].tolist() == [0.01] * 4  # 1000 ** -1.5 is 0.00003


def test_a_market_of_whole_prices_stays_one():
    whole = {A: table((300, 310, 290, 305), (305, 320, 300, 310))}
    made = turned(whole, START_MS, 1.0, ticks(whole, START_MS))[A]
    # 90000/290, /310, /305; /300, /320, /310
    assert made[:, 1:5].tolist() == [[300, 310, 290, 295], [295, 300, 281, 290]]


@pytest.mark.parametrize("overflow", [-1.18e-19, np.inf, 0.0, np.nan])
def test_a_tick_that_freqtrade_computes_wrongly_rounds_nothing(overflow):
    made = turned({A: table((3, 3, 3, 3), (7, 7, 7, 7))}, START_MS, 1.0, {A: [(START_MS, overflow)]})[A]
    assert made[1, 4] == pytest.approx(9 / 7, rel=1e-15)


def test_prices_of_a_few_billionths_have_ticks_that_can_be_used():
    small = walk(50)
    small[:, 1:5] *= 1.2345678901e-9
    found = ticks({A: small}, START_MS)
    made = turned({A: small}, START_MS + 10 * HOUR, 1.0, found)[A]
    assert is_a_market(made)


def test_a_pair_without_a_candle_after_the_turn_is_as_it_was():
    made = turned({A: walk(10), B: np.empty((0, 6))}, START_MS + 10 * HOUR, 1.0, CENTS)
    assert made[A].tolist() == walk(10).tolist()
    assert made[B].shape == (0, 6)


def test_in_a_gap_the_turn_begins_with_the_next_candle():
    gap = np.delete(walk(10), 5, axis=0)
    made = turned({A: gap}, START_MS + 5 * HOUR, 1.0, CENTS)[A]
    assert made[:5].tolist() == gap[:5].tolist()
    assert made[5, 1] == gap[5, 1]
    assert made[5, 4] == pytest.approx(gap[5, 1] ** 2 / gap[5, 4], abs=0.006)


ONE = (100, 110, 95, 105)


def seeds(n=40):
    return [np.random.default_rng(seed) for seed in range(n)]


def test_another_close_leaves_open_high_and_low_and_lies_between_them():
    rows = [closed_otherwise({A: table(ONE)}, CENTS, rng)[A][0] for rng in seeds()]
    assert all(row[[0, 1, 2, 3, 5]].tolist() == table(ONE)[0, [0, 1, 2, 3, 5]].tolist() for row in rows)
    closes = [row[4] for row in rows]
    assert all(95 <= close <= 110 and close != 105 and close == round(close, 2) for close in closes)
    assert 0.5 < np.mean([close < 100 for close in closes]) < 1  # most often on the other side, and not always
    assert (
        closed_otherwise({A: table((100, 100, 100, 100))}, CENTS, seeds(1)[0])[A].tolist()
        == table((100, 100, 100, 100)).tolist()
    )


@pytest.mark.parametrize(("side", "kept", "moved"), [("low", 3, 2), ("high", 2, 3)])
def test_the_side_that_was_reached_stays_and_the_other_moves(side, kept, moved):
    rows = [reached_otherwise({A: table(ONE)}, {A: side}, CENTS, rng)[A][0] for rng in seeds()]
    assert all(row[kept] == ONE[kept - 1] and row[1] == 100 and row[moved] != ONE[moved - 1] for row in rows)
    assert all(row[3] <= min(row[1], row[4]) and max(row[1], row[4]) <= row[2] for row in rows)
    distances = [abs(row[moved] - 100) / abs(ONE[moved - 1] - 100) for row in rows]
    assert min(distances) < 0.7 and max(distances) > 1.4


def test_a_pair_of_which_nothing_is_known_keeps_either_side():
    rows = [reached_otherwise({A: table(ONE)}, {}, CENTS, rng)[A][0] for rng in seeds()]
    assert {(row[2] == 110, row[3] == 95) for row in rows} == {(True, False), (False, True)}


def test_volumes_change_places_from_an_instant_on():
    whole = walk(50)
    made = traded_otherwise({A: whole}, START_MS + 20 * HOUR, np.random.default_rng(1))[A]
    assert made[:, :5].tobytes() == whole[:, :5].tobytes()
    assert made[:20].tobytes() == whole[:20].tobytes()
    assert made[20:, 5].tolist() != whole[20:, 5].tolist()
    assert sorted(made[20:, 5]) == sorted(whole[20:, 5])


def test_a_single_volume_is_several_times_as_large_or_as_small_and_has_no_more_decimals():
    single = table(ONE)
    single[0, 5] = 12.5
    volumes = [traded_otherwise({A: single}, START_MS, rng)[A][0, 5] for rng in seeds()]
    assert all(volume == round(volume, 1) and (volume < 9 or volume > 17) for volume in volumes)
    assert traded_otherwise({A: np.empty((0, 6))}, START_MS, np.random.default_rng(1))[A].shape == (0, 6)


def test_each_pair_turns_round_its_own_open():
    made = turned({A: table((100, 110, 100, 110)), B: table((2, 4, 2, 4))}, START_MS, 1.0, CENTS)
    assert made[A][0, 1:5].tolist() == [100, 100, 90.91, 90.91]
    assert made[B][0, 1:5].tolist() == [2, 2, 1, 1]


# continued


def test_the_first_weeks_come_again_joined_to_the_last_close():
    days = table(*((10 + k, 12 + k, 9 + k, 11 + k) for k in range(100)), step=DAY)  # closes at 110
    made = continued({A: days}, START_MS + 99 * DAY, DAY, {A: [(START_MS, 0.01)]})[A]
    assert made[:100].tobytes() == days.tobytes()
    assert len(made) == 100 + 60
    assert made[100].tolist() == [START_MS + 100 * DAY, 110, 132, 99, 121, 10]  # 11 times the first
    assert made[159].tolist() == [START_MS + 159 * DAY, 759, 781, 748, 770, 69]
    assert is_a_market(made)


@pytest.mark.parametrize(("step", "n"), [(HOUR, 1440), (4 * HOUR, 360), (DAY, 60)])
def test_it_goes_on_for_sixty_days_of_any_timeframe(step, n):
    long = walk(2000, step=step)
    end = int(long[-1, 0])
    made = continued({A: long}, end, step, CENTS)[A]
    assert made[2000:, 0].tolist() == [end + step * (k + 1) for k in range(n)]


def test_what_comes_again_is_on_the_last_months_tick():
    long = walk(2000)
    tick = {A: [(START_MS, 0.01), (MARCH, 1.0)]}
    made = continued({A: long}, int(long[-1, 0]), HOUR, tick)[A]
    assert on_tick(made[2000:, 1:5], 0)
    assert not on_tick(made[:2000, 1:5], 0)
    assert is_a_market(made)


def test_candles_after_the_end_are_left_out_before_it_goes_on():
    made = continued({A: walk(100)}, START_MS + 49 * HOUR, HOUR, CENTS)[A]
    assert len(made) == 100
    assert made[:50].tolist() == walk(100)[:50].tolist()
    assert made[50:, 0].tolist() == walk(100)[50:, 0].tolist()
    assert made[50, 1] == made[49, 4]
    assert made[50:, 4].tolist() != walk(100)[50:, 4].tolist()


def test_a_gap_comes_again_as_a_gap():
    gap = np.delete(walk(20), 5, axis=0)
    made = continued({A: gap}, int(gap[-1, 0]), HOUR, CENTS)[A]
    assert (np.diff(made[19:, 0]) / HOUR).tolist() == [1] * 4 + [2] + [1] * 13


def test_a_pair_that_has_ended_does_not_go_on():
    tables = {A: walk(10), B: walk(12), "C/USDT": np.empty((0, 6)), "D/USDT": walk(1)}
    made = continued(tables, START_MS + 11 * HOUR, HOUR, CENTS)
    assert made[A].tolist() == walk(10).tolist()
    assert len(made[B]) == 24
    assert made["C/USDT"].shape == (0, 6)
    assert made["D/USDT"].tolist() == walk(1).tolist()


def test_the_last_candle_may_be_the_one_before_the_end():
    assert len(continued({A: walk(10)}, START_MS + 10 * HOUR, HOUR, CENTS)[A]) == 20


def test_a_market_of_whole_prices_goes_on_in_whole_prices():
    made = continued({A: walk(100, decimals=0, start=5000)}, START_MS + 99 * HOUR, HOUR, {A: []})[A]
    assert on_tick(made[:, 1:5], 0)


# detours


def detour(table, *hours, seed=1):
    """One pair's candles with detours that begin at these hours."""
    return detoured({A: table}, [START_MS + hour * HOUR for hour in hours], HOUR, CENTS, np.random.default_rng(seed))[A]


def there(made, true):
    """First and last candle that a detour changes."""
    other = np.flatnonzero((made != true).any(axis=1))
    return int(other.min()), int(other.max())


def test_beside_its_detours_a_market_is_the_same_bit_for_bit():
    true = walk(1000)
    made = detour(true, 300, 600)
    other = np.flatnonzero((made != true).any(axis=1))
    early, late = other[other < 600], other[other >= 600]
    assert (early.min(), late.min()) == (300, 600)
    assert all(
        0.9 * DETOURS[0] < len(part) <= DETOURS[1] and part.max() - part.min() < DETOURS[1] for part in (early, late)
    )
    assert np.array_equal(made[:, 0], true[:, 0])
    assert np.array_equal(true, walk(1000)), "the table that was given stays as it was"


def test_detours_have_any_length_between_the_shortest_and_the_longest():
    true = walk(400)
    found = {there(detour(true, 100, seed=seed), true)[1] - 99 for seed in range(20)}
    assert len(found) > 10 and min(found) >= DETOURS[0] - 2 and max(found) <= DETOURS[1]


@pytest.mark.parametrize("seed", range(4))
def test_a_detour_turns_and_comes_back(seed):
    true = walk(400, seed=seed)
    made = detour(true, 100, seed=seed)
    first, last = there(made, true)
    away = np.abs(np.log(made[:, 4] / true[:, 4]))
    assert first == 100 and away[last] < 0.2 * away.max() and away.argmax() < last
    assert is_a_market(made) and on_tick(made[:, 1:5], 2)


def test_no_seam_shows_where_a_detour_is():
    """In this market each candle opens where the one before it has closed; so it does in a detour, but for the tick."""
    made = detour(walk(400), 100, 250)
    assert np.abs(made[1:, 1] - made[:-1, 4]).max() < 0.011


def test_volumes_of_a_detour_change_places():
    true = walk(400)
    made = detour(true, 100)[:, 5]
    assert sorted(made) == sorted(true[:, 5]) and (made != true[:, 5]).sum() > 0.8 * DETOURS[0]


def test_all_pairs_make_the_same_detours():
    tables = {A: walk(400), B: walk(400)}
    made = detoured(tables, [START_MS + 50 * HOUR], HOUR, CENTS, np.random.default_rng(1))
    assert np.array_equal(made[A][:, 1:5], made[B][:, 1:5])


@pytest.mark.parametrize("left", [0, 1, 2, 30])
def test_a_detour_ends_with_the_candles(left):
    true = walk(400)[: 300 + left]
    made = detour(true, 300)
    assert len(made) == len(true) and np.array_equal(made[:300], true[:300]) and is_a_market(made)
