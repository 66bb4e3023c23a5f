"""What is told of signals and parameters is compared, and what is not told is a finding: nothing is passed over."""

import dataclasses
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from arena.checks.comparison import asked, decided
from arena.decisions import Decisions, Signals
from arena.records import Window

BTC, ETH = "BTC/USDT", "ETH/USDT"
HOUR, DAY = 3_600_000, 86_400_000
BEGIN = datetime(2021, 3, 1, tzinfo=UTC)
START = int(BEGIN.timestamp() * 1000)
N = 240


def signals(first_ms, n, enter=()):
    ones = np.zeros(n, dtype=np.bool_)
    ones[list(enter)] = True
    return Signals(
        first_ms, ones, np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=np.uint64)
    )


def table(first_ms, n):
    return np.column_stack([first_ms + HOUR * np.arange(n), *np.ones((5, n))])


def case(startup=30, eth_listed=START + 5 * DAY):
    """BTC has candles from two days before the range on; ETH is listed later."""
    tables = {BTC: table(START - 2 * DAY, N + 48), ETH: table(eth_listed, (START + N * HOUR - eth_listed) // HOUR)}
    whole = {pair: signals(*_told(rows, START + N * HOUR)) for pair, rows in tables.items()}
    return SimpleNamespace(
        strategy=SimpleNamespace(pairs=(BTC, ETH)),
        settings=SimpleNamespace(search=Window("search", BEGIN, BEGIN), step_ms=HOUR),
        tables=tables,
        claim=SimpleNamespace(startup=startup, decisions=Decisions(whole, {"stoploss": "-0.1"})),
    )


def _told(rows, until_ms):
    first = max(int(rows[0, 0]), START - DAY)
    return first, max((until_ms - first) // HOUR, 0)


def told(made, until_ms, **changes):
    parts = {pair: signals(*_told(rows, until_ms)) for pair, rows in made.tables.items() if rows[0, 0] < until_ms}
    return Decisions({**parts, **changes}, {"stoploss": "-0.1"})


BORDER = START + 7 * DAY


def test_what_is_the_same_is_no_finding():
    made = case()
    for border in (START + DAY, BORDER):  # before ETH is listed, and after
        assert decided(made, told(made, border), border) is None
        assert decided(made, told(made, border), border, border - 20 * HOUR) is None
    assert decided(made, told(made, START + N * HOUR), None) is None


@pytest.mark.parametrize("pair", [BTC, ETH])
@pytest.mark.parametrize("side", ["with", "without"])
def test_a_pair_that_is_not_told_is_a_finding(pair, side):
    made = case()
    part, whole = told(made, BORDER), dict(made.claim.decisions.signals)
    del (whole if side == "with" else part.signals)[pair]
    made.claim.decisions = dataclasses.replace(made.claim.decisions, signals=whole)
    assert str(decided(made, part, BORDER)).endswith(f"has no signal for every candle that there is {side} the future")
    assert str(decided(made, part, BORDER)).startswith(pair)


@pytest.mark.parametrize("part", [signals(START - DAY, 0), signals(START - DAY, 191), signals(START - DAY + HOUR, 191)])
def test_a_frame_that_leaves_candles_out_is_a_finding(part):
    made = case()
    assert len(told(made, BORDER).signals[BTC].enter) == 192
    assert "BTC/USDT 2021-02-28 00:00 has no signal for every candle" in str(
        decided(made, told(made, BORDER, **{BTC: part}), BORDER)
    )


def test_candles_that_are_not_asked_for_may_be_left_out():
    made = case()
    late = signals(BORDER - 20 * HOUR, 20)
    assert decided(made, told(made, BORDER, **{BTC: late}), BORDER, BORDER - 20 * HOUR) is None
    assert decided(made, told(made, BORDER, **{BTC: late}), BORDER, BORDER - 21 * HOUR) is not None


def test_the_first_signal_that_differs_is_named():
    made = case()
    other = signals(START - DAY, 192, enter=[30, 50])
    assert (
        str(decided(made, told(made, BORDER, **{BTC: other}), BORDER))
        == "BTC/USDT 2021-03-01 06:00 enter_long is 0 with the future, 1 without"
    )


@pytest.mark.parametrize("side", ["with", "without"])
def test_a_parameter_that_one_of_them_does_not_tell_is_a_finding(side):
    made = case()
    part = told(made, BORDER)
    (made.claim.decisions if side == "without" else part).parameters["more"] = "1"
    found = {
        "without": "parameter more is 1 with the future, nothing without",
        "with": "parameter more is nothing with the future, 1 without",
    }
    assert str(decided(made, part, BORDER)) == found[side]


def test_asked_are_the_candles_that_were_loaded_and_have_arrived():
    made = case()
    assert asked(made, BTC, None, BORDER) == (START - DAY, BORDER)
    assert asked(made, ETH, None, BORDER) == (START + 5 * DAY, BORDER)
    assert asked(made, ETH, None, START + DAY) == (0, 0)
    assert asked(made, "SOL/USDT", None, BORDER) == (0, 0)
    # earlier ones FreqTrade does not load
    assert asked(case(startup=3), BTC, None, BORDER) == (START - 3 * HOUR, BORDER)
    # the first candle at or after it
    assert asked(made, BTC, BORDER - 5 * HOUR - 1, None) == (BORDER - 5 * HOUR, START + N * HOUR)
