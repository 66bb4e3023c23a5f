"""Candles through a pipe are bit for bit the candles of a file, however many pieces they come in."""

import numpy as np
import pandas as pd
import pytest
from builders import HOUR, START_MS

from arena.market.candle_tables import frame
from arena.sandbox.transport import Store, decode, encode

A, B = "BTC/USDT", "ETH/USDT"


def candles(n, first=0, seed=1):
    """n hourly candles of prices that no short decimal can write."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(0.01 * rng.standard_normal(n).cumsum())
    opens = np.roll(close, 1)
    time = START_MS + HOUR * (first + np.arange(n))
    return np.column_stack(
        [time, opens, np.maximum(opens, close) * 1.01, np.minimum(opens, close) * 0.99, close, rng.random(n)]
    )


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {A: candles(3)},
        {A: candles(3), B: candles(5, seed=2)},
        {A: candles(0), B: candles(2)},
        {B: candles(2), A: candles(0)},
    ],
    ids=["nothing", "one", "two", "none of the first", "none of the last"],
)
def test_tables_arrive_bit_for_bit_and_in_order(tables):
    back = decode(encode(tables))
    assert list(back) == list(tables)
    for pair, table in tables.items():
        assert back[pair].shape == table.shape
        assert back[pair].tobytes() == table.tobytes()


def test_odd_numbers_and_odd_names_arrive_too():
    odd = np.array([[START_MS, np.nan, np.inf, -0.0, 5e-324, 1.7e308]])
    (name, back), *rest = decode(encode({"ÄÖ€/ÜSDT": odd})).items()
    assert not rest
    assert name == "ÄÖ€/ÜSDT"
    assert back.tobytes() == odd.tobytes()


def test_a_table_that_is_a_view_is_sent_as_what_it_shows():
    table = candles(10)
    back = decode(encode({A: table[::2], B: np.asfortranarray(table)}))
    assert back[A].tolist() == table[::2].tolist()
    assert back[B].tolist() == table.tolist()


def test_a_store_answers_as_a_candle_file_does():
    store = Store("1h")
    store.add({A: candles(5)})
    pd.testing.assert_frame_equal(store.frame(A, "1h"), frame(candles(5)))


def test_candles_in_pieces_are_the_same_as_in_one():
    whole, pieces = Store("1h"), Store("1h")
    table = candles(30)
    whole.add({A: table})
    for first, end in ((0, 7), (7, 8), (8, 8), (8, 30)):
        pieces.add(decode(encode({A: table[first:end]})))
    for timeframe in ("1h", "4h"):
        pd.testing.assert_frame_equal(pieces.frame(A, timeframe), whole.frame(A, timeframe))


def test_frames_that_were_asked_for_before_grow_with_the_candles():
    store = Store("1h")
    store.add({A: candles(8)[:4]})
    assert (len(store.frame(A, "1h")), len(store.frame(A, "4h"))) == (4, 1)
    store.add({A: candles(8)[4:]})
    assert (len(store.frame(A, "1h")), len(store.frame(A, "4h"))) == (8, 2)


def test_candles_that_arrive_again_take_the_place_of_the_last_ones():
    store, table = Store("1h"), candles(8)
    store.add({A: np.vstack([table[:3], table[3] * np.array([1, 2, 2, 2, 2, 5])])})
    store.add({A: table[3:]})
    pd.testing.assert_frame_equal(store.frame(A, "1h"), frame(table))


def test_longer_candles_are_made_of_what_has_arrived_and_unfinished_ones_left_out():
    store = Store("1h")
    rows = [(10, 12, 9, 11, 1), (11, 15, 11, 14, 2), (14, 14, 8, 9, 4), (9, 10, 9, 10, 8), (10, 20, 10, 20, 16)]
    store.add({A: np.array([(START_MS + k * HOUR, *row) for k, row in enumerate(rows)], dtype=float)})
    longer = store.frame(A, "4h")
    assert longer["date"].tolist() == [pd.Timestamp("2021-01-01", tz="UTC")]
    assert longer.iloc[0, 1:].tolist() == [10, 15, 8, 10, 15]


def test_a_pair_may_come_later_than_the_others():
    store = Store("1h")
    store.add({A: candles(2), B: candles(0)})
    assert store.frame(B, "1h").empty
    store.add({B: candles(3, first=2)})
    assert len(store.frame(A, "1h")) == 2
    pd.testing.assert_frame_equal(store.frame(B, "1h"), frame(candles(3, first=2)))


@pytest.mark.parametrize("timeframe", ["1h", "4h"])
def test_a_pair_of_which_nothing_has_arrived_has_an_empty_frame_with_all_columns(timeframe):
    empty = Store("1h").frame(A, timeframe)
    pd.testing.assert_frame_equal(empty, frame(candles(1)).iloc[:0])


@pytest.mark.parametrize("timeframe", ["1h", "4h"])
def test_a_frame_that_a_strategy_spoils_spoils_nothing(timeframe):
    store = Store("1h")
    store.add(decode(encode({A: candles(8)})))
    first = store.frame(A, timeframe)
    kept = first.copy()
    first.loc[0, "close"] = -1.0
    first.iloc[:, 1:4] = 0.0
    first["sma"] = 0.0
    pd.testing.assert_frame_equal(store.frame(A, timeframe), kept)


def test_every_timeframe_and_pair_has_its_own_frame():
    store = Store("1h")
    store.add({A: candles(8), B: candles(8, seed=2)})
    assert store.frame(A, "1h")["close"].tolist() == candles(8)[:, 4].tolist()
    assert store.frame(B, "1h")["close"].tolist() == candles(8, seed=2)[:, 4].tolist()
    assert store.frame(A, "2h")["close"].tolist() == candles(8)[1::2, 4].tolist()


def test_a_pair_with_longer_base_candles_is_not_resampled_at_them():
    table = candles(6)
    table[:, 0] = START_MS + 4 * HOUR * np.arange(6)
    store = Store("4h")
    store.add({A: table})
    pd.testing.assert_frame_equal(store.frame(A, "4h"), frame(table))


@pytest.mark.parametrize(
    ("start", "stop", "hours"),
    [
        (None, None, [0, 1, 2, 3, 4]),
        (1, 3, [1, 2, 3]),
        (0.5, 3.5, [1, 2, 3]),
        (None, 0, [0]),
        (4, None, [4]),
        (5, 9, []),
    ],
)
def test_what_is_loaded_holds_the_candles_at_both_borders_and_fills_the_gaps_between(start, stop, hours):
    store, table = Store("1h"), candles(5)
    store.add({A: np.delete(table, 2, axis=0)})
    loaded = store.loaded(A, "1h", *(None if border is None else START_MS + border * HOUR for border in (start, stop)))
    assert ((loaded["date"] - pd.Timestamp("2021-01-01", tz="UTC")) / pd.Timedelta(hours=1)).tolist() == hours
    assert loaded["close"].tolist() == [table[1 if hour == 2 else hour, 4] for hour in hours]
