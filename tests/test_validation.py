"""
A worker may say anything. What is exactly a claim becomes one; everything else is a StrategyError, soon and in little
memory.
"""

import copy
import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from builders import HOUR, START_MS
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.decisions import Signals
from arena.errors import IntegrityError, LimitError, LoadError, StrategyError, when
from arena.records import Claim
from arena.sandbox import validation
from arena.sandbox.messages import MAX_STAKES, MAX_TAG, MAX_TAGS, MAX_TEXTS, pack, pack_signals
from arena.sandbox.worker.event_log import EventLog

PAIRS = A, B = ("BTC/USDT", "ETH/USDT")
NOT_THERE = object()


def packed_signals(n=5):
    bits = np.arange(n) % 2 == 0
    return pack_signals(Signals(START_MS, bits, ~bits, bits.astype(np.uint64) * 7, np.zeros(n, dtype=np.uint64)))


def packed_events():
    recorder = EventLog(PAIRS)
    recorder.note(START_MS, A, "custom_stake_amount", 100.5)
    recorder.note(START_MS + HOUR, B, "custom_exit", "take profit")
    return recorder.take()


CLAIM = {
    "orders": {
        "pair": [A, B, A],
        "filled_ms": [START_MS, START_MS + HOUR, START_MS + 2 * HOUR],
        "buys": [True, True, False],
        "price": [100.0, 10, 110.5],
        "amount": [1.0, 2.0, 1.0],
        "kind": [0, 0, 4],
        "stop_before": [None, None, 99.5],
    },
    "labels": {"texts": ["up", "down"], "order": [0, -1, 1], "opened_ms": [START_MS, START_MS, START_MS]},
    "profit": 10.5,
    "trades": 1,
    "closed_sharpe": -100.0,
    "rejected": 3,
    "first_signal_ms": START_MS,
    "warmup_ms": None,
    "warmup": "sma of BTC/USDT",
    "startup": 30,
    "last_ms": START_MS + 4 * HOUR,
    "stretch": [START_MS, START_MS + 3 * HOUR],
    "populate_s": 0.25,
    "loop_s": 1.5,
    "callbacks": ["custom_exit", "custom_stake_amount"],
    "decisions": {
        "signals": {A: packed_signals(), B: packed_signals(3)},
        "parameters": {"stoploss": "-0.1", "buy_rsi.value": "30"},
        "events": packed_events(),
        "stakes": {A: {"open_ms": [START_MS, START_MS + HOUR], "scale": [0.5, None]}, B: {"open_ms": [], "scale": []}},
    },
}


def said(changes=(), base=None):
    """The bytes of a claim with changes: dotted paths to values; NOT_THERE removes the key."""
    made = copy.deepcopy(CLAIM if base is None else base)
    for path, value in dict(changes).items():
        *parents, key = path.split(".")
        place = made
        for parent in parents:
            place = place[int(parent) if isinstance(place, list) else parent]
        if value is NOT_THERE:
            del place[key]
        else:
            place[int(key) if isinstance(place, list) else key] = value
    return json.dumps({"claim": made}).encode()


def refused(answer, match="the worker's answer is not a claim", read=lambda data: validation.claim(data, PAIRS)):
    with pytest.raises(StrategyError, match=match) as caught:
        read(answer)
    assert type(caught.value) is StrategyError
    assert len(str(caught.value)) < 400
    return str(caught.value)


def stage(data):
    return validation.stage(data, PAIRS)


def test_a_claim_arrives_field_by_field():
    made = validation.claim(said(), PAIRS)
    orders = made.orders
    assert orders.pair.tolist() == [0, 1, 0]
    assert orders.filled_ms.tolist() == CLAIM["orders"]["filled_ms"]
    assert orders.buys.tolist() == [True, True, False]
    assert orders.price.tolist() == [100, 10, 110.5]
    assert orders.amount.tolist() == [1, 2, 1]
    assert orders.kind.tolist() == [0, 0, 4]
    assert orders.stop_before.tolist()[2] == 99.5
    assert np.isnan(orders.stop_before[:2]).all()
    types = {
        "pair": "int64",
        "filled_ms": "int64",
        "buys": "bool",
        "price": "float64",
        "amount": "float64",
        "kind": "int8",
    }
    assert {name: getattr(orders, name).dtype.name for name in types} == types
    plain = {f.name for f in dataclasses.fields(Claim)} - {"orders", "labels", "decisions", "callbacks", "stretch"}
    assert {name: getattr(made, name) for name in plain} == {name: CLAIM[name] for name in plain}
    assert made.callbacks == ("custom_exit", "custom_stake_amount")
    assert made.stretch == (START_MS, START_MS + 3 * HOUR)
    assert validation.claim(said({"stretch": None}), PAIRS).stretch is None


@pytest.mark.parametrize("value", [[], [START_MS], [START_MS] * 3, 5, "all", [START_MS, 2**60]])
def test_a_stretch_is_two_instants(value):
    assert "stretch" in refused(said({"stretch": value}))


def test_stakes_arrive_as_arrays():
    made = validation.claim(said(), PAIRS).decisions.stakes
    assert made[A].open_ms.tolist() == [START_MS, START_MS + HOUR]
    assert made[A].scale[0] == 0.5 and np.isnan(made[A].scale[1])
    assert [len(array) for array in (made[B].open_ms, made[B].scale)] == [0, 0]
    assert made[B].open_ms.dtype == np.int64 and made[B].scale.dtype == np.float64
    assert validation.claim(said({"decisions.stakes": None}), PAIRS).decisions.stakes is None


@pytest.mark.parametrize(
    "wrong",
    [
        [], 5, {A: None}, {A: {"open_ms": [START_MS]}}, {A: {"open_ms": [START_MS], "scale": []}},
        {A: {"open_ms": [START_MS], "scale": [0.5], "more": 1}}, {A: {"open_ms": [START_MS, START_MS], "scale": [0.5, 0.5]}},
        {A: {"open_ms": [START_MS + HOUR, START_MS], "scale": [0.5, 0.5]}}, {A: {"open_ms": [2**60], "scale": [0.5]}},
        {A: {"open_ms": [float(START_MS)], "scale": [0.5]}}, *({A: {"open_ms": [START_MS], "scale": [value]}} for value in (-0.1, math.inf, math.nan, "1", True)),
        {A: {"open_ms": [START_MS + k for k in range(MAX_STAKES + 1)], "scale": [0.5] * (MAX_STAKES + 1)}},
    ],
)  # fmt: skip
def test_stakes_that_are_none_are_refused(wrong):
    assert "stakes" in refused(said({"decisions.stakes": wrong}))


def test_stakes_of_a_pair_outside_the_arena_are_refused():
    refused(
        said({"decisions.stakes": {"DOGE/USDT": {"open_ms": [], "scale": []}}}),
        "stakes for a pair outside the arena: DOGE/USDT",
    )


def test_decisions_arrive_unpacked():
    made = validation.claim(said(), PAIRS).decisions
    assert list(made.signals) == [A, B]
    assert made.signals[A].start_ms == START_MS
    assert made.signals[A].enter.tolist() == [True, False, True, False, True]
    assert made.signals[A].exit.tolist() == [False, True, False, True, False]
    assert made.signals[A].enter_tag.tolist() == [7, 0, 7, 0, 7]
    assert len(made.signals[B].enter) == 3
    assert made.parameters == CLAIM["decisions"]["parameters"]
    assert [made.events.answer(0), made.events.answer(1)] == [100.5, "'take profit'"]


def test_labels_are_one_text_and_one_instant_an_order():
    made = validation.claim(said(), PAIRS).labels
    assert (made.texts, made.order.tolist(), made.opened_ms.tolist()) == (("up", "down"), [0, -1, 1], [START_MS] * 3)
    for change in ({"labels.order": [0, 1]}, {"labels.opened_ms": []}, {"labels.order.0": 2}, {"labels.texts": []}):
        refused(said(change), "labels need one text and one instant an order")


def test_a_claim_without_orders_pairs_or_events_is_one():
    empty = {f"orders.{name}": [] for name in CLAIM["orders"]} | {"labels": {"texts": [], "order": [], "opened_ms": []}}
    decisions = {"decisions.signals": {}, "decisions.parameters": {}, "decisions.events": NOT_THERE}
    made = validation.claim(said({**empty, **decisions, "first_signal_ms": None}), PAIRS)
    assert len(made.orders.price) == 0
    assert (made.decisions.signals, made.decisions.events, made.first_signal_ms) == ({}, None, None)


@pytest.mark.parametrize("path", ["profit", "trades", "decisions", "orders", "orders.kind", "decisions.parameters",
                                  "decisions.events.texts", f"decisions.signals.{A}.exit_tag"])  # fmt: skip
def test_a_missing_key_is_named(path):
    assert path in refused(said({path: NOT_THERE}))


@pytest.mark.parametrize(
    "path", ["more", "orders.more", "decisions.more", "decisions.events.more", f"decisions.signals.{A}.more"]
)
def test_an_extra_key_is_refused_and_not_repeated(path):
    assert "more" not in refused(said({path: 1}), match="unknown keys")


def test_an_extra_key_beside_the_claim_is_refused():
    refused(said()[:-1] + b', "verdict": "PASS"}', match="unknown keys")


INTEGERS = ("trades", "rejected", "startup", "last_ms", "first_signal_ms", "orders.filled_ms.0", "orders.kind.0", "decisions.events.n",
            f"decisions.signals.{A}.n", f"decisions.signals.{A}.start_ms")  # fmt: skip
FLOATS = (
    "profit",
    "closed_sharpe",
    "populate_s",
    "loop_s",
    "orders.price.0",
    "orders.amount.2",
    "orders.stop_before.2",
)
TEXTS = ("warmup", "orders.pair.0", "callbacks.0", "decisions.parameters.stoploss", "decisions.events.texts.0",
         "decisions.events.columns.0", f"decisions.signals.{A}.enter")  # fmt: skip


@pytest.mark.parametrize("path", INTEGERS)
@pytest.mark.parametrize(
    "value", [1.5, "1", True, [], {}, 2**53 + 1, -(2**53) - 1, 2**63, 2**64 + 5, -(2**100), 10**300]
)
def test_what_is_no_integer_of_its_range_is_refused(path, value):
    assert path in refused(said({path: value}))


@pytest.mark.parametrize("path", FLOATS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "1.5", True, [], {}, 10**400, -(10**400)])
def test_what_is_no_finite_number_is_refused(path, value):
    assert path in refused(said({path: value}))


@pytest.mark.parametrize("path", TEXTS)
@pytest.mark.parametrize("value", [1, 1.5, None, True, [], {}])
def test_what_is_no_text_is_refused(path, value):
    assert path in refused(said({path: value}))


@pytest.mark.parametrize("path", [*INTEGERS, *FLOATS, "orders.buys.0", "orders", "decisions", "decisions.signals"])
def test_nothing_may_be_null_but_what_may_be_unknown(path):
    unknown = ("first_signal_ms", "orders.stop_before.2")
    if path in unknown:
        validation.claim(said({path: None}), PAIRS)
    else:
        assert path in refused(said({path: None}))


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_a_side_is_true_or_false(value):
    refused(said({"orders.buys.1": value}))


def test_a_number_without_decimals_is_a_float_too():
    assert validation.claim(said({"profit": 3, "orders.price.0": 7}), PAIRS).orders.price[0] == 7


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("startup", -1),
        ("startup", validation.MAX_CANDLES + 1),
        ("populate_s", -0.1),
        ("loop_s", -0.1),
        ("orders.kind.0", -1),
        ("orders.kind.0", 9),
        ("decisions.events.n", -1),
        ("decisions.events.n", 5_000_001),
        (f"decisions.signals.{A}.n", -1),
        (f"decisions.signals.{A}.n", -8),
        (f"decisions.signals.{A}.n", validation.MAX_CANDLES + 1),
        ("last_ms", 253_402_300_800_000),
        ("first_signal_ms", -62_135_596_800_001),
        ("warmup_ms", 253_402_300_800_000),
        ("orders.filled_ms.1", 2**53),
        (f"decisions.signals.{A}.start_ms", 2**53),
        ("warmup", "x" * 2001),
        ("orders.pair.0", "x" * 101),
        ("callbacks.0", "x" * 101),
        ("callbacks", ["custom_exit"] * 101),
        ("decisions.events.texts", [""] * (MAX_TEXTS + 1)),
        ("decisions.events.texts.0", "x" * 101),
        ("decisions.parameters.stoploss", "x" * 1001),
        ("labels.texts.0", "x" * (MAX_TAG + 1)),
        ("labels.texts", [""] * (MAX_TAGS + 1)),
        ("labels.order.0", -2),
        ("labels.order.0", MAX_TAGS),
        ("labels.opened_ms.0", 2**53),
    ],
)
def test_sizes_have_limits(path, value):
    assert path in refused(said({path: value}))


@pytest.mark.parametrize("place", ["decisions.signals", "decisions.parameters"])
def test_names_that_are_too_long_are_refused_and_not_shown_whole(place):
    value = packed_signals() if place.endswith("signals") else "1"
    refused(said({place: {"x" * 100_000: value}}))


@pytest.mark.parametrize(("place", "value"), [("decisions.signals", packed_signals()), ("decisions.parameters", "1")])
def test_there_are_not_more_than_a_thousand_pairs_or_parameters(place, value):
    refused(said({place: {str(k): value for k in range(1001)}}), match="more than 1000 entries")
    if "parameters" in place:
        assert (
            len(validation.claim(said({place: {str(k): value for k in range(1000)}}), PAIRS).decisions.parameters)
            == 1000
        )


@pytest.mark.parametrize("name", list(CLAIM["orders"]))
def test_columns_of_different_lengths_are_refused(name):
    for column in (CLAIM["orders"][name][:2], CLAIM["orders"][name] * 2, []):
        refused(said({f"orders.{name}": column}), match="columns of orders have different lengths")


def test_orders_for_a_pair_outside_the_arena_are_refused():
    refused(said({"orders.pair.1": "DOGE/USDT"}), match="orders for a pair outside the arena: DOGE/USDT")


def test_signals_for_a_pair_outside_the_arena_are_refused():
    signals, match = (
        {A: packed_signals(), "DOGE/USDT": packed_signals()},
        "signals for a pair outside the arena: DOGE/USDT",
    )
    refused(said({"decisions.signals": signals}), match=match)
    refused(json.dumps({"stage": CLAIM["decisions"] | {"signals": signals}}).encode(), match=match, read=stage)


def test_a_pairs_number_is_its_place_in_the_arena():
    assert validation.claim(said(), (B, "X/USDT", A)).orders.pair.tolist() == [2, 0, 2]


BOMB = pack(np.zeros(8 << 20))  # 64 MB of zeros in 85 KB


@pytest.mark.parametrize("path", [*(f"decisions.signals.{A}.{name}" for name in ("enter", "exit", "enter_tag", "exit_tag")),
                                  *(f"decisions.events.columns.{k}" for k in range(5))])  # fmt: skip
@pytest.mark.parametrize(
    "text", [BOMB, "", "no base64", "AAAA", pack(np.zeros(1, dtype="u1"))[:-4], pack(np.zeros(1000))]
)
def test_what_is_no_packed_array_of_its_length_is_refused(path, text):
    refused(said({path: text}), match="a packed array")


@pytest.mark.parametrize(
    ("column", "values"), [(4, [1.0, 1.0]), (4, [1.0, np.nan]), (2, [0, 100]), (3, [0, 9]), (0, [2**62, 2**62])]
)
def test_events_that_name_what_is_not_there_are_refused(column, values):
    types = ("<i8", "<i2", "i1", "i1", "<f8")
    refused(
        said({f"decisions.events.columns.{column}": pack(np.array(values, dtype=types[column]))}),
        match="not a claim: an? event",
    )


def test_events_of_too_few_columns_are_refused():
    refused(
        said({"decisions.events.columns": CLAIM["decisions"]["events"]["columns"][:4]}),
        match="events need five columns",
    )


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"null", b"[]", b"1", b'"claim"', b"nothing", b"{", b'{"claim"', b"\xff\xfe", b"\x00" * 100, b'{"claim": "\\ud800"}',
     b'{"claim": ' * 50_000, b"[" * 1_000_000, b'{"claim": {"profit": 1' + b"0" * 10_000 + b"}}", said()[:-1], said() + b"}"],
    ids=["empty", "blank", "null", "list", "number", "text", "word", "open", "half", "no utf-8", "zeros", "half a character",
         "deep objects", "deep lists", "a number of 10000 digits", "cut", "too much"],
)  # fmt: skip
def test_what_is_not_json_or_no_object_is_refused(data):
    for read in (lambda data: validation.claim(data, PAIRS), stage, validation.twin):
        refused(data, read=read)


@pytest.mark.parametrize("depth", [10, 150])
def test_what_is_deeply_nested_is_refused(depth):
    deep = "[" * depth + "]" * depth
    for path in ("profit", "warmup", "orders", "decisions", "callbacks"):
        refused(said({path: "DEEP"}).replace(b'"DEEP"', deep.encode()))


def test_an_answer_of_another_kind_is_none():
    for data in (b"{}", b'{"claim": null}', b'{"end": true}', b'{"twin": {}}'):
        refused(data, match="neither a claim nor a failure")
    for data in (b"{}", said(), b'{"twin": {}}', b'{"end": false}'):
        refused(data, match="no stage", read=stage)
    for data in (b"{}", said(), b'{"end": true}'):
        refused(data, match="no decision with another candle", read=validation.twin)


# failures


def failure(**changes):
    return json.dumps(
        {"failure": {"error": "ValueError: x", "kind": "LoadError", "frames": ["S.py:3 f: x"], **changes}}
    ).encode()


@pytest.mark.parametrize("kind", [StrategyError, LoadError, LimitError, IntegrityError])
def test_a_failure_is_raised_as_its_kind(kind):
    for read in (lambda data: validation.claim(data, PAIRS), stage, validation.twin):
        with pytest.raises(StrategyError, match="^ValueError: x$") as caught:
            read(failure(kind=kind.__name__))
        assert type(caught.value) is kind
        assert caught.value.frames == ("S.py:3 f: x",)


@pytest.mark.parametrize(
    "kind", ["ArenaError", "DataError", "BookingError", "CausalityError", "SystemExit", "", "__class__"]
)
def test_a_worker_can_raise_nothing_but_its_own_kinds(kind):
    with pytest.raises(StrategyError) as caught:
        validation.claim(failure(kind=kind), PAIRS)
    assert type(caught.value) is StrategyError


def test_a_failure_beside_a_claim_counts():
    with pytest.raises(LoadError):
        validation.claim(failure()[:-1] + b", " + said()[1:], PAIRS)


def test_a_failure_is_kept_short():
    with pytest.raises(LoadError) as caught:
        validation.claim(failure(error="x" * 100_000, frames=["y" * 100_000] * 50), PAIRS)
    assert str(caught.value) == "x" * 2000
    assert caught.value.frames == ("y" * 2000,) * 20


@pytest.mark.parametrize(
    "changes", [{"error": None}, {"kind": 3}, {"kind": "x" * 101}, {"frames": "S.py"}, {"frames": [1]}, {"more": 1}]
)
def test_a_failure_that_is_none_is_refused(changes):
    refused(failure(**changes))


# stages and twins


def test_a_stage_is_a_strategys_decisions_and_its_end_is_none():
    made = validation.stage(json.dumps({"stage": CLAIM["decisions"]}).encode(), PAIRS)
    assert list(made.signals) == [A, B]
    assert len(made.events) == 2
    assert validation.stage(b'{"end": true}', PAIRS) is None


def test_a_twin_decides_fails_or_ends():
    def twin(**said):
        return validation.twin(json.dumps({"twin": said}).encode())

    assert [twin(events=packed_events()).answer(k) for k in (0, 1)] == [100.5, "'take profit'"]
    assert twin(failure="KeyError: 'x'", frames=["S.py:1 f: x"]) == "KeyError: 'x'"
    assert twin(failure="x" * 100_000) == "x" * 2000
    assert twin(ended=True) is None
    bad = packed_events() | {"n": 3}
    refused(json.dumps({"twin": {"events": bad}}).encode(), match="a packed array", read=validation.twin)


def test_callbacks_that_cannot_be_printed_are_left_out():
    assert validation.claim(said({"callbacks": ["custom_exit", "a\nverdict: PASS", "\x1b[2J"]}), PAIRS).callbacks == (
        "custom_exit",
    )


# whatever is said

BOMBS = """
import resource, sys
sys.path.insert(0, {root!r})
from arena.sandbox import validation
from arena.errors import StrategyError
claim = {claim!r}
keys = b",".join(b'"%x":0' % i for i in range(250_000))
full = claim.replace(b'"price": []', b'"price": [' + b",".join([b'""'] * 1_500_000) + b"]")
bombs = [
    full,
    full.replace(b'"price"', b'"stop_before"').replace(b'"stop_before": []', b'"price": []'),
    b"{{" + keys + b"}}",
    claim.replace(b'"signals": {{}}', b'"signals": {{' + keys + b"}}"),
    claim.replace(b'"parameters": {{}}', b'"parameters": {{' + keys + b"}}"),
    b'{{"failure":{{"error":"x","kind":"x","frames":[' + b",".join([b"0"] * 2_000_000) + b"]}}}}",
]
resource.setrlimit(resource.RLIMIT_AS, (int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + (160 << 20),) * 2)
for bomb in bombs:
    try:
        validation.claim(bomb, ("BTC/USDT",))
    except StrategyError as error:
        assert len(str(error)) < 200
        print("refused")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_a_message_full_of_mistakes_is_refused_in_little_memory():
    """pydantic lists every mistake: 15 MB of them would be 6 GB and a minute of complaints, of which one is shown."""
    empty = said({"decisions": {"signals": {}, "parameters": {}}} | {f"orders.{name}": [] for name in CLAIM["orders"]})
    done = subprocess.run(
        [sys.executable, "-c", BOMBS.format(root=str(ROOT), claim=empty)], capture_output=True, text=True, timeout=600
    )
    assert done.stdout.split() == ["refused"] * 6, done.stderr[-500:]


def places(tree, path=()):
    """Paths to every value in a tree of JSON."""
    yield path
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


ODD = st.one_of(
    st.sampled_from([None, True, 0, -1, 1, 2, 3, 8, 2**31, 2**53, 2**63, -(2**63) - 1, 10**400, 0.5, -0.5, 1e308]),
    st.sampled_from([float("nan"), float("inf"), float("-inf")]),
    st.sampled_from(["", A, B, "X/USDT", "custom_exit", "x" * 101, "x" * 3000, "\n", "\x00", "é", "\U0001f600", BOMB[:2000], "AAAA"]),
    st.sampled_from([[], {}, [[]], [None], [0] * 5, {"x": 1}, {A: packed_signals(1)}, packed_signals(2), packed_events(), CLAIM["orders"]]),
    st.builds(lambda values, kind: pack(np.array(values).astype(kind)), st.lists(st.floats(-130, 130), max_size=5),
              st.sampled_from(["u1", "i1", "<i2", "<u2", "<i8", "<f8"])),
    st.text(max_size=5), st.integers(), st.floats(),
)  # fmt: skip
MESSAGES = [
    {"claim": CLAIM},
    {"stage": CLAIM["decisions"]},
    {"twin": {"events": packed_events(), "failure": "", "frames": [], "ended": False}},
    json.loads(failure()),
]


@st.composite
def mutations(draw):
    """
    A valid message in which some values are other ones, missing, twice, or under other keys; sometimes some bytes of
    it.
    """
    message = copy.deepcopy(draw(st.sampled_from(MESSAGES)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from([p for p in places(message) if p]))
        place = message
        for key in path[:-1]:
            place = place[key]
        how = draw(st.sampled_from(["other", "other", "gone", "more"]))
        if how == "other":
            place[path[-1]] = copy.deepcopy(draw(ODD))
        elif how == "gone":
            del place[path[-1]]
        elif isinstance(place, list):
            place.append(copy.deepcopy(place[path[-1]]))
        else:
            place[draw(st.sampled_from([B, "events", "n", "x"]))] = copy.deepcopy(place[path[-1]])
        if not message:
            break
    data = bytearray(json.dumps(message).encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


def usable(decisions):
    """What is let through can be compared and shown."""
    assert set(decisions.signals) <= set(PAIRS)
    for signals in decisions.signals.values():
        when(signals.start_ms)
        assert len({len(c) for c in (signals.enter, signals.exit, signals.enter_tag, signals.exit_tag)}) == 1
    shown(decisions.events)


def shown(events):
    if events is not None:
        assert len({len(c) for c in (events.time_ms, events.pair, events.name, events.kind, events.value)}) == 1
        for k in range(len(events)):
            when(int(events.time_ms[k]))
            assert isinstance(events.answer(k), (float, str))


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(mutations())
def test_every_answer_is_a_claim_or_the_strategys_fault(data):
    try:
        made = validation.claim(data, PAIRS)
        assert len({len(getattr(made.orders, f.name)) for f in dataclasses.fields(made.orders)}) == 1
        assert set(made.orders.pair.tolist()) <= {0, 1}
        assert np.isfinite([*made.orders.price, *made.orders.amount, made.profit, made.closed_sharpe]).all()
        for ms in (*made.orders.filled_ms.tolist(), made.last_ms, made.first_signal_ms or 0, made.warmup_ms or 0):
            when(ms)
        usable(made.decisions)
    except StrategyError:
        pass
    try:
        decisions = validation.stage(data, PAIRS)
        if decisions is not None:
            usable(decisions)
    except StrategyError:
        pass
    try:
        events = validation.twin(data)
        if not isinstance(events, str):
            shown(events)
    except StrategyError:
        pass


@given(st.binary(max_size=200))
def test_noise_is_the_strategys_fault(data):
    for read in (lambda data: validation.claim(data, PAIRS), stage, validation.twin):
        with pytest.raises(StrategyError):
            read(data)


def test_the_messages_that_are_mutated_are_valid_themselves():
    first, second, third, fourth = (json.dumps(message).encode() for message in MESSAGES)
    validation.claim(first, PAIRS)
    validation.stage(second, PAIRS)
    validation.twin(third)
    with pytest.raises(LoadError):
        validation.claim(fourth, PAIRS)
