"""Instants lie where candles are, begin when a strategy can trade, and gather where the profit was made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import DAY, HOUR, START_MS, arena, claim, orders

from arena.checks import checkpoints
from arena.checks.checkpoints import Valid, comb, quick, reasons, valid
from arena.decisions import Decisions
from arena.errors import StrategyError
from arena.records import Book, Strategy, Trade
from arena.sandbox.messages import unpack_events
from arena.sandbox.worker.event_log import EventLog

A, B = "BTC/USDT", "ETH/USDT"
END_MS = START_MS + 59 * DAY  # of the search range: 1 March
LAST = 59 * 24  # the candle at the end


def table(first=-24 * 31, last=LAST, without=()):
    """Candles from one hour to another, counted from the search range's start."""
    hours = np.array([k for k in range(first, last + 1) if k not in set(without)])
    return np.column_stack([START_MS + HOUR * hours, *np.ones((5, len(hours)))]) if len(hours) else np.empty((0, 6))


def hours(folder, tables, *, pairs=(A, B), startup=0, last=LAST):
    """Valid instants in hours from the search range's start."""
    told = replace(claim(orders(), 0.0, 0), startup=startup, last_ms=START_MS + last * HOUR)
    made = valid(Strategy("S", Path("S.py"), "", "", pairs), arena(folder), tables, told)
    assert made.times.dtype == np.int64
    return ((made.times - START_MS) // HOUR).tolist()


def ways(n=1000, first=0):
    return Valid(START_MS + HOUR * np.arange(first, first + n, dtype=np.int64))


def book(*trades):
    """Trades of (open, close, profit), in hours."""
    made = tuple(
        Trade("A", START_MS + int(o) * HOUR, START_MS + int(c) * HOUR, float(profit), 100.0) for o, c, profit in trades
    )
    nothing = np.zeros(1)
    return Book(nothing, nothing, nothing, nothing, nothing, nothing, made, 0.0)


# valid


def test_instants_are_every_candle_of_the_search_range_after_its_first_and_before_its_last(tmp_path):
    assert hours(tmp_path, {A: table(), B: table()}) == list(range(4, LAST))


@pytest.mark.parametrize("startup", [0, 10, 100])
def test_without_warm_up_instants_begin_after_the_candles_that_freqtrade_takes(tmp_path, startup):
    tables = {A: table(first=0), B: table(first=0)}
    assert hours(tmp_path, tables, startup=startup)[0] == startup + 2 + 4


def test_warm_up_candles_count_for_it(tmp_path):
    assert hours(tmp_path, {A: table(first=-50), B: table(first=-50)}, startup=40)[0] == 4
    assert hours(tmp_path, {A: table(first=-50), B: table(first=-50)}, startup=60)[0] == 60 + 2 + 4 - 50


def test_instants_end_before_the_candles_do(tmp_path):
    assert hours(tmp_path, {A: table(last=500), B: table(last=500)})[-1] == 499
    assert hours(tmp_path, {A: table(last=500), B: table()}, pairs=(A,))[-1] == 499
    assert hours(tmp_path, {A: table(last=LAST + 99), B: table(last=LAST + 99)})[-1] == LAST - 1


def test_what_the_worker_says_of_its_last_candle_moves_no_instant(tmp_path):
    assert hours(tmp_path, {A: table(), B: table()}, last=0) == hours(tmp_path, {A: table(), B: table()})


def test_a_strategy_that_leaves_nothing_to_check_is_refused(tmp_path):
    with pytest.raises(StrategyError, match="startup_candle_count 100000 leaves too little"):
        hours(tmp_path, {A: table(), B: table()}, startup=100_000)


def test_instants_begin_when_every_pair_of_the_arena_is_listed(tmp_path):
    assert hours(tmp_path, {A: table(), B: table(first=240)}, startup=10)[0] == 240 + 10 + 2
    assert hours(tmp_path, {A: table(), B: table(first=240)}, startup=10, pairs=(A,))[0] == 240 + 10 + 2


def test_a_pair_that_is_listed_in_the_second_half_is_not_waited_for(tmp_path):
    late = LAST // 2 + 10
    found = hours(tmp_path, {A: table(), B: table(first=late)})
    assert found[0] == 4
    assert set(range(4, LAST)) - set(found) == {late}  # nothing right before its first candle
    assert hours(tmp_path, {A: table(), B: table(first=late)}, pairs=(A,)) == list(range(4, LAST))


def test_a_gap_is_no_instant_nor_is_the_candle_after_it(tmp_path):
    tables = {A: table(without=[100, 101]), B: table(without=[700])}
    assert set(range(4, LAST)) - set(hours(tmp_path, tables)) == {100, 101, 102, 700, 701}


def test_gaps_of_pairs_outside_the_basket_do_not_matter(tmp_path):
    tables = {A: table(without=[100]), B: table(without=[700])}
    assert set(range(4, LAST)) - set(hours(tmp_path, tables, pairs=(B,))) == {700, 701}


def test_after_a_pair_has_ended_the_others_make_instants(tmp_path):
    found = hours(tmp_path, {A: table(), B: table(last=900)})
    assert set(range(4, LAST)) - set(found) == {901}  # the pair's last candle is right before, its own is missing


def test_a_pair_without_candles_does_not_matter(tmp_path):
    assert hours(tmp_path, {A: table(), B: np.empty((0, 6))}) == list(range(4, LAST))


def test_near_is_the_next_valid_instant_within_a_day():
    some = Valid(np.array([START_MS + 10 * HOUR, START_MS + 50 * HOUR]))
    assert some.near(START_MS + 10 * HOUR) == START_MS + 10 * HOUR
    assert some.near(START_MS + 10 * HOUR + 1) is None
    assert some.near(START_MS + 26 * HOUR) == START_MS + 50 * HOUR
    assert some.near(START_MS + 26 * HOUR - 1) is None
    assert some.near(START_MS - 14 * HOUR) == START_MS + 10 * HOUR
    assert some.near(START_MS + 51 * HOUR) is None
    assert Valid(np.array([], dtype=np.int64)).near(START_MS) is None


# quick


def drawn(ways, *trades, rows=(), events=None, n=0, stretches=1, seed=1):
    """
    Instants in hours. Trades are (open, close, profit); rows are orders; events are None or rows of (candle, callback,
    answer) or (candle, callback, answer, pair). With n = 0 there are all that have a reason, and no others.
    """
    recorder = EventLog([A, B])
    for k, name, answer, *pair in events or ():
        recorder.note(START_MS + int(k) * HOUR, *(pair or [A]), name, answer)
    told = None if events is None else unpack_events(**recorder.take())
    made = replace(claim(orders(*rows), 0.0, 0), decisions=Decisions(events=told))
    rng = np.random.default_rng(seed)
    if n or not len(ways.times):
        found = quick(ways, book(*trades), made, n, HOUR, rng)
    else:
        near = {ways.near(int(ms)) for ms in reasons(ways, book(*trades), made, stretches, HOUR, rng)}
        found = sorted(near - {None})
    assert all(type(ms) is int for ms in found)
    return [(ms - START_MS) // HOUR for ms in found]


def by_seed(*args, seeds=60, **named):
    return [set(drawn(*args, **named, seed=seed)) for seed in range(seeds)]


def edges(trades):
    """Entries, exits, and the candles after exits."""
    return {int(t) for o, c, _ in trades for t in (o, c, c + 1)}


END = set(range(990, 1000))
"""The last hundredth of the valid instants, where one is drawn always."""
TRADES = [(20 * k, 20 * k + 7, 100.0 if k in (3, 5, 12) else 1.0) for k in range(1, 41)]
LATE = {o for o, _, _ in TRADES[30:]}


@pytest.mark.parametrize("seed", range(10))
def test_instants_are_valid_ascending_and_not_repeated(seed):
    missing = range(100, 900, 7)
    found = drawn(Valid(np.delete(ways().times, missing)), *TRADES, n=30, seed=seed)
    assert found == sorted(set(found))
    assert not set(found) & set(missing)
    assert 0 <= found[0] < found[-1] < 1000
    assert len(found) == 30


@pytest.mark.parametrize("n", [1, 2, 8, 40])
def test_every_stretch_of_trades_has_an_instant_at_an_edge(n):
    stretches = np.array_split(np.arange(40), n)
    for found in by_seed(ways(), *TRADES, stretches=n, seeds=20):
        assert all(found & edges([TRADES[k] for k in stretch]) for stretch in stretches)


@pytest.mark.parametrize("n", [1, 2, 8, 40])
def test_there_are_as_many_as_asked_for_the_one_close_to_the_end_and_a_late_entry_first(n):
    rows = [(0, 100, "sell", 1, 1, kind) for kind in ("signal", "stop", "roi")]
    for found in by_seed(ways(), *TRADES, rows=rows, n=n, seeds=20):
        assert len(found) == n
        assert found & END
        assert n < 2 or found & LATE


def test_it_is_an_edge_of_one_of_the_stretchs_best_three_trades():
    found = by_seed(ways(), *TRADES, seeds=200)
    assert set.union(*found) - LATE - END == edges([TRADES[2], TRADES[4], TRADES[11]])
    assert all(len(some - LATE - END) == 1 for some in found)


def test_trades_that_close_one_after_the_other_are_stretched_by_their_entries():
    """
    Books list trades as they close; the best of the first half by entry are drawn, and not of the first half by exit.
    """
    long = [(k, 500 - 10 * k, 1.0) for k in range(10)]
    found = set.union(*by_seed(ways(), *reversed(long), stretches=2, seeds=200))
    assert found >= edges(long[:3]) | edges(long[5:8])  # the best of equals are the first


def test_one_entry_is_of_the_last_quarter_and_one_of_the_last_tenth():
    found = by_seed(ways(), *TRADES, seeds=200)
    assert all(some & {o for o, _, _ in TRADES[36:]} for some in found)
    assert set.union(*found) & {o for o, _, _ in TRADES} == LATE | {60, 100, 240}


def test_one_is_close_to_the_end():
    found = by_seed(ways(), seeds=200)
    assert all(len(some) == 1 for some in found)
    assert set.union(*found) == END


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        ("signal", 100),
        ("custom", 100),
        ("forced", 100),
        ("stop", 101),
        ("trailing", 101),
        ("adjust", 101),
        ("other", 101),
    ],
)
def test_an_exit_of_every_kind_is_there_with_the_candle_after_it_where_it_was_decided_inside(kind, at):
    rows = [(0, 50, "buy", 1, 1), (0, 100, "sell", 1, 1, kind)]
    assert all(some - END == {at} for some in by_seed(ways(), rows=rows, seeds=5))


def test_at_an_exit_by_roi_both_its_candle_and_the_one_after_it_are_there():
    rows = [(0, 50, "buy", 1, 1), (0, 100, "sell", 1, 1, "roi")]
    assert all(some - END == {100, 101} for some in by_seed(ways(), rows=rows, seeds=5))


def test_entries_are_no_exits():
    rows = [(0, 77, "buy", 1, 1), (0, 88, "buy", 1, 1, "adjust"), (0, 100, "sell", 1, 1, "adjust")]
    assert set.union(*by_seed(ways(), rows=rows)) - END == {101}


def test_one_exit_of_a_kind_is_enough():
    rows = [(0, 100 * k, "sell", 1, 1, "signal" if k % 2 else "custom") for k in range(1, 9)]
    found = by_seed(ways(), rows=rows)
    assert all(len(some & {100, 300, 500, 700}) == len(some & {200, 400, 600, 800}) == 1 for some in found)
    assert set.union(*found) - END == {100 * k for k in range(1, 9)}


def test_an_unusual_answer_of_every_callback_is_there():
    events = [(k, "confirm_trade_entry", k != 123) for k in range(200)]
    events += [(k, "custom_exit", "sell" if k in (150, 160) else None) for k in range(200)]
    found = by_seed(ways(), events=events)
    assert all(123 in some and len(some & {150, 160}) == 1 for some in found)
    assert set.union(*found) >= {150, 160}
    assert all(len(some - END) <= 4 for some in found)  # two of each callback


def test_of_three_answers_the_two_rarest_are_unusual():
    often = dict.fromkeys(range(100)) | dict.fromkeys((20, 30, 40), "sell") | {50: "panic"}
    found = by_seed(ways(), events=[(k, "custom_exit", answer) for k, answer in often.items()])
    assert all(50 in some and len(some & {20, 30, 40}) == 1 for some in found)
    assert set.union(*found) - END == {20, 30, 40, 50}


@pytest.mark.parametrize("n", [1, 2, 21, 100])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_answers_that_are_no_finite_numbers_are_unusual_ones(odd, n):
    events = [(k, "custom_exit_price", odd if k == 70 else 5.0 + k) for k in range(70 - n // 2, 70 - n // 2 + n)]
    found = by_seed(ways(), events=events, seeds=100)
    assert 70 in set.union(*found)
    assert all(some - END for some in found)
    assert 70 in set.union(*by_seed(ways(), events=[(k, "custom_exit_price", odd) for k in range(50, 100)], seeds=300))


def test_a_number_among_texts_is_unusual():
    events = [(k, "custom_exit_price", 5.0 if k == 70 else None) for k in range(100)]
    assert set.union(*by_seed(ways(), events=events)) - END == {70}


def test_of_many_numbers_the_most_extreme_ones_are_unusual():
    values = np.random.default_rng(1).permutation(101)
    events = [(k, "custom_stake_amount", float(value)) for k, value in enumerate(values)]
    extreme = {k for k, value in enumerate(values) if value <= 5 or value >= 95}
    assert set.union(*by_seed(ways(), events=events, seeds=200)) - END == extreme


@pytest.mark.parametrize("name", checkpoints.ASKED_INSIDE)
def test_what_is_asked_inside_a_candle_is_compared_after_it(name):
    assert drawn(Valid(ways(200).times), events=[(70, name, 1.0)])[0] == 71


def test_where_an_answer_inside_a_candle_changes_the_candle_itself_is_compared():
    events = [(k, "custom_roi", 0.1 + 0.01 * (k >= 70) + 0.01 * (k >= 140)) for k in range(200)]
    found = by_seed(ways(), events=events)
    assert all(some & {70, 140} for some in found)
    assert set.union(*found) >= {70, 140}
    elsewhere = [(k, "custom_roi", answer, pair) for k in range(200) for pair, answer in ((A, 0.1), (B, 0.2))]
    # other pairs, other answers: no change
    assert all(len(some - END) <= 2 for some in by_seed(ways(), events=elsewhere))


def test_placed_orders_are_no_answers():
    assert set(drawn(ways(), events=[(70, "entry price", 1.0), (80, "exit amount", 1.0)])) <= END


def test_the_rest_lies_anywhere():
    found = np.concatenate([drawn(ways(), n=21, seed=seed)[:-1] for seed in range(50)]) / 1000
    assert found.mean() == pytest.approx(0.5, abs=0.05)
    assert found.std() == pytest.approx(12**-0.5, abs=0.05)


def test_an_edge_in_a_gap_gives_the_next_valid_instant():
    some = Valid(START_MS + HOUR * np.array([30, 900]))
    assert all(found == {30, 900} for found in by_seed(some, (10, 20, 5.0)))


def test_where_there_are_few_instants_all_are_taken():
    assert drawn(ways(3), *TRADES, n=12) == [0, 1, 2]
    assert drawn(ways(0), *TRADES, n=12, rows=[(0, 1, "sell", 1, 1)], events=[(1, "leverage", 1.0)]) == []


def test_instants_are_secret():
    assert len({tuple(drawn(ways(), *TRADES, n=12, seed=seed)) for seed in range(20)}) == 20
    assert drawn(ways(), *TRADES, n=12, seed=3) == drawn(ways(), *TRADES, n=12, seed=3)


# comb


def combed(n, length=1000, seed=1):
    return comb(ways(length), n, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n", [1, 7, 40, 250])
def test_a_comb_has_about_n_teeth_at_about_even_distances(n, seed):
    found = np.array(combed(n, seed=seed))
    space = 1000 / n
    assert abs(len(found) - n) <= 1
    assert (found == np.unique(found)).all()
    distances = np.diff(found) / HOUR
    assert (distances >= space / 3 - 1).all()
    assert (distances <= space * 5 / 3 + 1).all()
    assert len(found) and found[0] - START_MS <= 4 / 3 * space * HOUR
    assert START_MS + 999 * HOUR - found[-1] <= 4 / 3 * space * HOUR + HOUR


def test_each_tooth_is_moved_by_its_own():
    distances = np.diff(combed(40)) / HOUR  # 25 apart but for that
    assert len(set(distances)) > 10
    assert distances.std() > 3


def test_a_combs_offset_is_secret():
    firsts = {combed(10, seed=seed)[0] for seed in range(30)}
    assert len(firsts) > 20
    assert max(firsts) - min(firsts) > 60 * HOUR  # of 100


@pytest.mark.parametrize("seed", range(8))
def test_a_comb_as_fine_as_the_candles_has_most_of_them_and_none_twice(seed):
    found = combed(5000, length=100, seed=seed)
    assert len(found) == len(set(found)) > 60
    assert set(found) <= set(ways(100).times.tolist())


def test_a_comb_of_nothing_is_empty():
    assert combed(10, length=0) == []
    assert len(combed(0)) <= 2
