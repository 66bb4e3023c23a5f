"""
What the worker packs is what the trusted process unpacks; what is not exactly that is refused before it takes memory.
"""

import base64
import json
import math
import tracemalloc
import zlib

import numpy as np
import pytest
from builders import HOUR, START_MS
from hypothesis import given
from hypothesis import strategies as st

from arena import decisions
from arena.decisions import NAMES, Signals
from arena.errors import when
from arena.sandbox.messages import pack, pack_signals, unpack, unpack_events, unpack_signals
from arena.sandbox.worker import event_log
from arena.sandbox.worker.event_log import EventLog

A, B = "BTC/USDT", "ETH/USDT"


def recorded(*answers, recorder=None):
    """Answers of custom_exit for A, one candle after the other, as they arrive."""
    recorder = recorder or EventLog([A, B])
    for k, answer in enumerate(answers):
        recorder.note(START_MS + k * HOUR, A, "custom_exit", answer)
    return arrived(recorder.take())


def arrived(packed):
    return unpack_events(**json.loads(json.dumps(packed)))


def events(**columns):
    """Two packed events, with other columns where they are given."""
    plain = {
        "time_ms": [START_MS, START_MS],
        "pair": [0, -1],
        "name": [0, 1],
        "kind": [0, 1],
        "value": [2.5, 0.0],
    } | columns
    types = {"time_ms": "<i8", "pair": "<i2", "name": "i1", "kind": "i1", "value": "<f8"}
    return [pack(np.array(plain[name], dtype=kind)) for name, kind in types.items()]


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", "<u2", "<i8", "<f8"])
@pytest.mark.parametrize("n", [0, 1, 1000])
def test_a_packed_array_comes_back(dtype, n):
    values = np.random.default_rng(1).integers(0, 100, n).astype(dtype)
    back = unpack(pack(values), dtype, n)
    assert back.dtype == np.dtype(dtype)
    assert back.tolist() == values.tolist()


def test_every_other_value_of_an_array_can_be_packed():
    assert unpack(pack(np.arange(6.0)[::2]), "<f8", 3).tolist() == [0, 2, 4]


@pytest.mark.parametrize("n", [-1, 0, 1, 2, 4, 1000])
def test_an_array_of_another_length_is_refused(n):
    with pytest.raises(ValueError, match=f"does not hold {n} values"):
        unpack(pack(np.arange(3.0)), "<f8", n)


def test_nothing_may_stand_between_the_letters_of_a_packed_array():
    text = pack(np.arange(3.0))
    assert unpack(text, "<f8", 3).tolist() == [0, 1, 2]
    for odd in (text[:8] + "\n" + text[8:], text + "\n", "!" + text):
        with pytest.raises(ValueError, match="cannot be read"):
            unpack(odd, "<f8", 3)


def test_less_than_nothing_is_no_length():
    with pytest.raises(ValueError, match="does not hold -1 values"):
        unpack(pack(np.empty(0)), "<f8", -1)


@pytest.mark.parametrize(
    "text",
    [
        "no base64!",
        "é",
        "",
        "AAAA",
        base64.b64encode(b"no zlib").decode(),
        pack(np.arange(3.0))[4:],
        pack(np.arange(3.0))[:-4],
        "\ud800",
    ],
    ids=[
        "letters",
        "not ascii",
        "empty",
        "zeros",
        "not zlib",
        "cut at the front",
        "cut at the end",
        "half a character",
    ],
)
def test_what_is_no_packed_array_is_refused(text):
    with pytest.raises(ValueError, match="a packed array"):
        unpack(text, "<f8", 3)


@pytest.mark.parametrize("n", [-1, 0, 1000])
def test_a_bomb_takes_no_more_memory_than_what_was_asked_for(n):
    stream = zlib.compressobj(9)
    bomb = b"".join([*(stream.compress(bytes(1 << 20)) for _ in range(64)), stream.flush()])
    text = base64.b64encode(bomb).decode()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="does not hold"):
            unpack(text, "<f8", n)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20  # the bomb holds 64 MB


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 100])
def test_signals_arrive_as_they_were(n):
    rng = np.random.default_rng(n)
    enter, leave = rng.random(n) < 0.5, rng.random(n) < 0.2
    tags = [rng.integers(0, 1 << 64, n, dtype=np.uint64) for _ in range(2)]
    back = unpack_signals(**json.loads(json.dumps(pack_signals(Signals(START_MS, enter, leave, *tags)))))
    assert back.start_ms == START_MS
    assert back.enter.dtype == back.exit.dtype == np.bool_
    assert back.enter.tolist() == enter.tolist()
    assert back.exit.tolist() == leave.tolist()
    assert back.enter_tag.tolist() == tags[0].tolist()
    assert back.exit_tag.tolist() == tags[1].tolist()


@pytest.mark.parametrize("column", ["enter", "exit", "enter_tag", "exit_tag"])
def test_signals_of_other_lengths_are_refused(column):
    packed = pack_signals(
        Signals(START_MS, *(np.ones(16, dtype=t) for t in (np.bool_, np.bool_, np.uint64, np.uint64)))
    )
    shorter = pack(np.packbits(np.ones(8, dtype=np.bool_)) if "tag" not in column else np.ones(15, dtype=np.uint64))
    with pytest.raises(ValueError, match="does not hold"):
        unpack_signals(**packed | {column: shorter})


def test_numbers_keep_their_value_and_everything_else_its_printed_form():
    told = recorded(2.5, 3, np.float64(0.1), True, None, "take profit", np.int64(3))
    assert [told.answer(k) for k in range(len(told))] == [2.5, 3.0, 0.1, "True", "None", "'take profit'", "np.int64(3)"]


def test_nan_and_infinity_are_answers():
    told = recorded(math.nan, math.inf, -math.inf)
    assert math.isnan(told.answer(0))
    assert [told.answer(1), told.answer(2)] == [math.inf, -math.inf]


def test_an_integer_beyond_all_floats_is_infinite_and_no_crash():
    assert [recorded(10**5000, -(10**400)).answer(k) for k in (0, 1)] == [math.inf, -math.inf]


def test_an_event_says_when_for_which_pair_and_what():
    recorder = EventLog([A, B])
    recorder.note(START_MS, B, "entry price", 10.5)
    recorder.note(START_MS + HOUR, "", "bot_loop_start", None)
    recorder.note(START_MS + HOUR, "DOGE/USDT", "leverage", 1.0)
    told = arrived(recorder.take())
    assert told.time_ms.tolist() == [START_MS, START_MS + HOUR, START_MS + HOUR]
    assert told.pair.tolist() == [1, -1, -1]
    assert [NAMES[name] for name in told.name] == ["entry price", "bot_loop_start", "leverage"]


def test_what_was_told_is_not_told_again_but_its_texts_keep_their_numbers():
    recorder = EventLog([A])
    assert recorded("first", "second", recorder=recorder).texts == ("'first'", "'second'")
    later = recorded("second", "third", recorder=recorder)
    assert len(later) == 2
    assert later.texts == ("'first'", "'second'", "'third'")
    assert [later.answer(0), later.answer(1)] == ["'second'", "'third'"]
    assert len(arrived(recorder.take())) == 0


def test_long_texts_are_told_apart_without_being_kept():
    long = "x" * decisions.MAX_TEXT
    told = recorded(long, long, long + "y", "short")
    assert told.texts == ("'short'",)
    assert told.answer(0) == told.answer(1) != told.answer(2)
    assert told.answer(0) == recorded("another list of texts", long).answer(1)
    assert str(told.answer(0)).startswith("text ")


def test_texts_are_kept_up_to_their_limit(monkeypatch):
    monkeypatch.setattr(event_log, "MAX_TEXTS", 2)
    told = recorded("a", "b", "c", "a", "c", "d")
    assert told.texts == ("'a'", "'b'")
    assert told.answer(3) == "'a'"
    assert told.answer(2) == told.answer(4) != told.answer(5)


@given(st.lists(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans()), max_size=20))
def test_whatever_is_answered_arrives_and_can_be_shown(answers):
    told = recorded(*answers)
    assert len(told) == len(answers)
    for k, answer in enumerate(answers):
        said = told.answer(k)
        if isinstance(answer, float) and not math.isnan(answer):
            assert said == answer
        if isinstance(answer, str):
            assert said == repr(answer) or said.startswith("text ")


def test_two_plain_events_are_read():
    told = unpack_events(2, events(), ["hello"])
    assert [told.answer(0), told.answer(1)] == [2.5, "hello"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"name": [0, len(NAMES)]}, "no name"),
        ({"name": [-1, 0]}, "no name"),
        ({"kind": [0, 3]}, "no name"),
        ({"kind": [0, -1]}, "no name"),
        ({"value": [0, 1]}, "a text that is not there"),
        ({"value": [0, -1]}, "a text that is not there"),
        ({"value": [0, -0.5]}, "a text that is not there"),
        ({"value": [0, math.nan]}, "a text that is not there"),
        ({"value": [0, math.inf]}, "a text that is not there"),
        ({"time_ms": [START_MS, 253_402_300_800_000]}, "outside time"),
        ({"time_ms": [-62_135_596_800_001, START_MS]}, "outside time"),
        ({"time_ms": [-(2**63), 2**63 - 1]}, "outside time"),
        ({"time_ms": [START_MS]}, "does not hold 2 values"),
        ({"value": [0.0, 0.0, 0.0]}, "does not hold 2 values"),
    ],
)
def test_events_that_name_what_does_not_exist_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        unpack_events(2, events(**columns), ["hello"])


def test_events_need_all_their_columns():
    for columns in (events()[:4], [*events(), events()[0]], []):
        with pytest.raises(ValueError, match="events need five columns"):
            unpack_events(2, columns, ["hello"])


def test_every_instant_that_is_let_in_has_a_name():
    told = unpack_events(2, events(time_ms=decisions.INSTANTS_MS), ["hello"])
    assert [when(int(ms)).removeprefix("000") for ms in told.time_ms] == ["1-01-01 00:00", "9999-12-31 23:59"]


def test_names_are_unique_and_fit_their_column():
    assert len(set(NAMES)) == len(NAMES) <= np.iinfo(np.int8).max


def test_instants_in_spans_that_overlap_or_are_points_are_found():
    dice = np.random.default_rng(0)
    for _ in range(300):
        since = dice.integers(0, 30, dice.integers(0, 6))
        spans = [[int(first), int(first + dice.integers(0, 8))] for first in since]
        times = np.sort(dice.integers(-3, 40, dice.integers(0, 20)))
        assert decisions.inside(times, spans).tolist() == [
            any(first <= ms <= last for first, last in spans) for ms in times
        ]
