"""
What FreqTrade's loop reads of a frame is a closed set of values, read once; frames are the candles that were given, and
nothing else.
"""

import enum
import re
from decimal import Decimal

import freqtrade.data.btanalysis  # noqa: F401  first: it resolves an import cycle of FreqTrade's
import numpy as np
import pandas as pd
import pytest
from freqtrade.configuration import TimeRange
from freqtrade.optimize.backtesting import Backtesting

from arena.errors import IntegrityError
from arena.sandbox.messages import unpack_signals
from arena.sandbox.worker import signals

BTC = "BTC/USDT"
HOUR = 3_600_000
START = 1_609_459_200_000
PRICES = {"open": 2.0, "high": 4.0, "low": 1.0, "close": 3.0}
RULE = "signals are 0 or 1 (False, True, nan)"


def frame(**columns):
    n = len(next(iter(columns.values()))) if columns else 4
    dates = pd.date_range("2021-01-01", periods=n, freq="1h", tz="UTC", unit="ms")
    return pd.DataFrame(
        {"date": dates, **{name: np.full(n, price) for name, price in PRICES.items()}, "volume": 1.0, **columns}
    )


def read(made):
    return signals.read(BTC, made, signals.given(made))


def told(made, since_ms=START):
    return unpack_signals(**signals.packed(read(made), since_ms))


def refusal(made):
    with pytest.raises(IntegrityError) as caught:
        read(made)
    return str(caught.value)


# ---- signals ----

SAME = {
    "integers": [1, 0, 1, 0],
    "small integers": np.array([1, 0, 1, 0], dtype=np.int8),
    "floats": [1.0, 0.0, 1.0, np.nan],
    "single floats": np.array([1, 0, 1, np.nan], dtype=np.float32),
    "booleans": [True, False, True, False],
    "objects": [1, None, 1, 0],
    "mixed objects": pd.Series([True, False, np.int64(1), np.nan], dtype=object),
    "numpy's in objects": pd.Series([np.float64(1), np.bool_(False), np.True_, pd.NA], dtype=object),
    "nullable integers": pd.array([1, None, 1, 0], dtype="Int64"),
    "nullable booleans": pd.array([True, None, True, False], dtype="boolean"),
    "categories": pd.Categorical([1, 0, 1, 0]),
    "sparse": pd.arrays.SparseArray([1, 0, 1, 0]),
    "minus zero": [1.0, -0.0, 1.0, 0.0],
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("column", ["enter_long", "exit_long"])
def test_a_signal_is_a_one_of_whatever_type(name, column):
    made = told(frame(**{column: SAME[name]}))
    ours, other = (made.enter, made.exit) if column == "enter_long" else (made.exit, made.enter)
    assert ours.tolist() == [True, False, True, False]
    assert other.tolist() == [False] * 4


class Two(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class Truth:
    def __bool__(self):
        raise AssertionError("is asked")

    __eq__ = __repr__ = __float__ = __bool__
    __hash__ = object.__hash__


ODD = {
    "two": ([0, 1, 2, 0], "2"),
    "minus one": ([0, 0, -1, 0], "-1"),
    "a half": ([0.0, 1.0, 0.5, 0.0], "0.5"),
    "infinite": ([0.0, 1.0, np.inf, 0.0], "inf"),
    "nearly one": ([0.0, 1.0, np.nextafter(1, 2), 0.0], "1"),
    "a text": (pd.Series([0, 1, "0", 0], dtype=object), "'0'"),
    "texts": (["", "1", "0", ""], "''"),
    "an integer of its own": (pd.Series([0, 1, Two(0), 0], dtype=object), "a Two"),
    "an object of its own": (pd.Series([0, 1, Truth(), 0], dtype=object), "a Truth"),
    "a complex number": (np.array([0, 1, 1j, 0]), "a complex"),
    "a duration": (pd.to_timedelta([0, 1, 1, 0], unit="h"), "a Timedelta"),
    "no time": (pd.Series([0, 1, pd.NaT, 0], dtype=object), "a NaTType"),
    "a decimal": (pd.Series([0, 1, Decimal(1), 0], dtype=object), "a Decimal"),
    "an array": (pd.Series([0, 1, np.ones(1), 0], dtype=object), "a ndarray"),
    "a nullable two": (pd.array([0, 1, 2, 0], dtype="Int64"), "2"),
    "a category two": (pd.Categorical([0, 1, 2, 0]), "2"),
}


AT_ONCE = ("texts", "a complex number", "a duration")
"""Those whose first cell is none."""


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("column", ["enter_long", "exit_long", "enter_short", "exit_short"])
def test_any_other_signal_is_refused_with_the_first_candle_that_has_it(name, column):
    values, shown = ODD[name]
    assert (
        refusal(frame(**{column: values}))
        == f"integrity: {BTC} 2021-01-01 0{0 if name in AT_ONCE else 2}:00 {column} is {shown}; {RULE}"
    )


def test_a_column_that_stands_twice_is_refused():
    made = frame(enter_long=[0, 1, 0, 0])
    made.insert(0, "enter_long", 0, allow_duplicates=True)
    assert refusal(made) == f"integrity: {BTC}: the strategy's frame has the column enter_long twice"


def test_columns_of_several_levels_are_refused():
    made = frame(enter_long=[0, 1, 0, 0])
    known = signals.given(made)
    made.columns = pd.MultiIndex.from_tuples([(name, "") for name in made.columns])
    with pytest.raises(IntegrityError, match="columns of several levels"):
        signals.check(BTC, made, known)


def test_candles_before_an_instant_are_left_out():
    made = frame(enter_long=[1, 0, 1, 0])
    assert told(made, START + HOUR).enter.tolist() == [False, True, False]
    assert told(made, START + HOUR).start_ms == START + HOUR
    assert len(told(made, START + 9 * HOUR).enter) == 0


# ---- tags ----


class Why(enum.StrEnum):
    DIP = "dip"


class Tag(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_a_tag_that_is_missing_is_none(missing):
    a, nothing, b, again = told(frame(enter_tag=pd.Series(["a", missing, "b", "a"], dtype=object))).enter_tag.tolist()
    assert nothing == 0 and a == again != b and 0 not in (a, b)


def test_an_empty_tag_is_another_than_none_as_callbacks_see_it():
    made = frame(enter_tag=pd.Series(["", None], dtype=object), enter_long=[1, 1])
    empty, nothing = told(made).enter_tag.tolist()
    assert empty != nothing == 0


def test_a_tags_hash_does_not_hang_on_the_others():
    first, second = (told(frame(exit_tag=texts)) for texts in (["x", "y", "z"], ["z", "q", "x"]))
    assert first.exit_tag[0] == second.exit_tag[2] and first.exit_tag[2] == second.exit_tag[0]
    assert told(frame(exit_tag=pd.Categorical(["x", None]))).exit_tag.tolist() == [first.exit_tag[0], 0]
    assert told(frame(exit_tag=pd.Series([np.str_("x"), Why.DIP], dtype=object))).exit_tag[0] == first.exit_tag[0]


def test_tags_that_differ_at_their_end_alone_differ():
    long = "x" * 900
    assert len(set(told(frame(enter_tag=[long + "a", long + "b"])).enter_tag.tolist())) == 2


WRONG_TAGS = {
    "a number": ([1.5, 2.5, 3.5], "1.5; tags are texts"),
    "an integer": (pd.Series(["a", 7, "b"], dtype=object), "7; tags are texts"),
    "a text of its own": (pd.Series(["a", Tag("b"), "c"], dtype=object), "a Tag; tags are texts"),
    "an object": (pd.Series(["a", Truth, "c"], dtype=object), "a type; tags are texts"),
    "far too long": (["a", "b" * 1001, "c"], "a text of 1001 characters; tags have at most 1000"),
}


@pytest.mark.parametrize("name", WRONG_TAGS)
def test_a_tag_is_a_text_of_bounded_length(name):
    values, said = WRONG_TAGS[name]
    assert refusal(frame(enter_tag=values)).endswith(f"enter_tag is {said}")


def test_what_cannot_be_looked_at_is_refused():
    assert "enter_tag cannot be read (TypeError)" in refusal(
        frame(enter_tag=pd.Series([["a"], "b", "c"], dtype=object))
    )


# ---- the frame ----


class Own(pd.DataFrame):
    pass


CHANGED = {
    "no frame": (lambda f: None, "a populate function returns no frame: a return is missing"),
    "a series": (lambda f: f["close"], "a populate function returns a Series, not a DataFrame"),
    "a frame of its own kind": (Own, "a populate function returns an Own, not a DataFrame"),
    "empty": (
        lambda f: f.iloc[:0],
        "the rows of the strategy's frame are not the arena's candles, from 2021-01-01 00:00 on",
    ),
    "shorter": (
        lambda f: f.iloc[:-1],
        "the rows of the strategy's frame are not the arena's candles, from 2021-01-01 03:00 on",
    ),
    "without its first": (
        lambda f: f.iloc[1:],
        "the rows of the strategy's frame are not the arena's candles, from 2021-01-01 00:00 on",
    ),
    "longer": (
        lambda f: pd.concat([f, f.tail(1)]),
        "the rows of the strategy's frame are not the arena's candles, from 2021-01-01 03:00 on",
    ),
    "reversed": (
        lambda f: f.iloc[::-1],
        "the rows of the strategy's frame are not the arena's candles, from 2021-01-01 00:00 on",
    ),
    "one twice, one gone": (
        lambda f: f.iloc[[0, 1, 1, 3]],
        "the rows of the strategy's frame are not the arena's candles, from 2021-01-01 02:00 on",
    ),
    "without dates": (lambda f: f.drop(columns="date"), "date or prices are gone"),
    "dates in the index": (lambda f: f.set_index("date"), "date or prices are gone"),
    "no number": (lambda f: f.assign(low="x"), "date or prices are gone"),
    "a changed price": (
        lambda f: f.assign(high=5.0),
        f"{BTC} 2021-01-01 00:00 high is 5 in the strategy's frame, the arena's is 4",
    ),
    "a missing price": (
        lambda f: f.assign(close=f["close"].where(f.index != 2)),
        f"{BTC} 2021-01-01 02:00 close is nan in the strategy's frame, the arena's is 3",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_frame_has_the_rows_dates_and_prices_that_were_given(name):
    change, said = CHANGED[name]
    made = frame()
    with pytest.raises(IntegrityError, match=re.escape(said)):
        signals.check(BTC, change(made), signals.given(made))


KEPT = {
    "a copy": lambda f: f.copy(),
    "other columns": lambda f: f.assign(rsi=1.0)[["rsi", *f.columns[::-1]]],
    "another index": lambda f: f.set_axis([7, 7, 7, 7]),
    "prices as objects": lambda f: f.assign(close=f["close"].astype(object)),
    "dates in another unit": lambda f: f.assign(date=f["date"].dt.as_unit("ns")),
    "no volume": lambda f: f.drop(columns="volume"),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_frame_may_look_otherwise(name):
    made = frame()
    signals.check(BTC, KEPT[name](made), signals.given(made))


def test_what_was_given_does_not_change_with_the_frame():
    made = frame()
    known = signals.given(made)
    made.loc[1, "close"] = 9.0
    with pytest.raises(IntegrityError, match="close is 9"):
        signals.check(BTC, made, known)


# ---- the loop's rows ----


class Advised:
    """A strategy whose signals are there already."""

    def ft_advise_signals(self, made, metadata):
        return made


def freqtrades(made, startup):
    """Rows as FreqTrade's own helper makes them."""
    bt = object.__new__(Backtesting)
    bt.progress, bt.abort, bt.strategy, bt.timeframe, bt.required_startup = None, False, Advised(), "1h", startup
    bt.config, bt.timerange = {"candle_type_def": ""}, TimeRange.parse_timerange("20210101-")
    bt.dataprovider = type("Nowhere", (), {"_set_cached_df": lambda *_: None})()
    return Backtesting._get_ohlcv_as_lists(bt, {BTC: made.copy()})[BTC]


TEXTS = pd.Series(["dip", "", "x", "dip", "end"], dtype="str")
ROWS = {
    "plain": {"enter_long": [1, 0, 0, 1, 1], "exit_long": [0, 1, 0, 0, 0]},
    "with tags": {
        "enter_long": [1.0, np.nan, 0, 1, 1],
        "enter_tag": TEXTS,
        "exit_tag": TEXTS[::-1].reset_index(drop=True),
        "exit_long": [0, 1, 0, 1, 0],
    },
    "missing tags": {"enter_long": [1, 1, 1, 1, 1], "enter_tag": pd.Series(["a", None, "b", None, ""], dtype=object)},
    "nothing": {"rsi": [1, 2, 3, 4, 5]},
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("startup", [0, 2])
def test_rows_are_those_of_freqtrade(name, startup):
    made = frame(**ROWS[name])
    known = signals.given(made)
    ours, theirs = (
        signals.rows(signals.read(BTC, made, known), known, slice(startup + 1, len(made))),
        freqtrades(made, startup),
    )
    assert ours == theirs and len(ours) == 4 - startup
    assert signals.rows(signals.read(BTC, made, known), known, np.array([startup + 1, 4])) == [theirs[0], theirs[-1]]
    assert {type(value) for row in ours for value in row} <= {pd.Timestamp, float, int, str, type(None)}


def test_an_old_tag_that_freqtrade_renames_is_read_where_its_loop_reads_it():
    """Its rename leaves two columns enter_tag; the loop takes the second for the exit's."""
    made = frame(
        enter_tag=[""] * 5, enter_long=[1, 0, 0, 1, 1], buy_tag=["a", "b", "c", "d", "e"], exit_tag=[""] * 5
    ).rename(columns={"buy_tag": "enter_tag"})
    known = signals.given(made)
    ours, theirs = signals.rows(signals.read(BTC, made, known), known, slice(1, 5)), freqtrades(made, 0)
    assert ours == [row[:11] for row in theirs]
    assert [row[9:] for row in ours] == [["", "a"], ["", "b"], ["", "c"], ["", "d"]]


def test_the_row_after_the_last_candle_acts_on_that_ones_signals():
    made = read(frame(enter_long=[0, 0, 0, 1], exit_long=[1, 0, 0, 0], enter_tag=["a", "b", "c", "d"]))
    assert signals.row(made, START + 4 * HOUR, [1.0, 2.0, 0.5, 1.5]) == [
        pd.Timestamp("2021-01-01 04:00", tz="UTC"),
        1.0,
        2.0,
        0.5,
        1.5,
        1,
        0,
        0,
        0,
        "d",
        None,
    ]
