import math
from dataclasses import replace

import pytest

from arena.gates import judge, verdict
from arena.records import GateResult, Metrics, WindowResult
from arena.settings import Gates

LIMITS = Gates(min_trades=30, min_trades_per_window=5, min_exposure=0.01, max_drawdown=0.5, min_profit=0.0)
GOOD = Metrics(trades=30, exposure=0.01, max_drawdown=0.5, profit=0.001)


def windows(*trades):
    return tuple(WindowResult(f"w{i}", Metrics(trades=n), Metrics()) for i, n in enumerate(trades))


def failed(own=GOOD, trades=(5, 25), limits=LIMITS):
    return [gate.gate for gate in judge(own, windows(*trades), limits) if not gate.passed]


def test_a_figure_at_its_limit_passes_and_profit_must_be_more():
    assert failed() == []
    assert failed(replace(GOOD, profit=0.0)) == ["profit"]  # cash earns as much


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"trades": 29}, "trades"),
        ({"exposure": 0.0099}, "exposure"),
        ({"max_drawdown": 0.5001}, "drawdown"),
        ({"profit": -0.1}, "profit"),
    ],
)
def test_a_figure_beyond_its_limit_fails_its_gate_alone(change, gate):
    assert failed(replace(GOOD, **change)) == [gate]


def test_the_window_with_the_fewest_trades_decides():
    assert failed(trades=(100, 4, 100)) == ["window_trades"]


@pytest.mark.parametrize(("field", "gate"), [("exposure", "exposure"), ("max_drawdown", "drawdown"), ("profit", "profit")])
def test_nan_says_no(field, gate):
    assert failed(replace(GOOD, **{field: math.nan})) == [gate]


def test_without_windows_their_gate_says_no():
    assert failed(trades=()) == ["window_trades"]


def test_a_strategy_of_which_nothing_is_known_passes_no_gate_but_the_open_ones():
    assert failed(Metrics(), ()) == ["trades", "window_trades", "exposure", "drawdown", "profit"]


@pytest.mark.parametrize(
    ("key", "value", "gate"),
    [
        ("min_trades", 31, "trades"),
        ("min_trades_per_window", 6, "window_trades"),
        ("min_exposure", 0.02, "exposure"),
        ("max_drawdown", 0.4, "drawdown"),
        ("min_profit", 0.001, "profit"),
    ],
)
def test_every_limit_matters(key, value, gate):
    assert failed(limits=LIMITS.model_copy(update={key: value})) == [gate]


def test_gates_stand_in_one_order_with_figure_limit_and_relation():
    assert judge(GOOD, windows(7, 5, 9), LIMITS) == (
        GateResult("trades", True, 30.0, 30.0, ">="),
        GateResult("window_trades", True, 5.0, 5.0, ">="),
        GateResult("exposure", True, 0.01, 0.01, ">="),
        GateResult("drawdown", True, 0.5, 0.5, "<="),
        GateResult("profit", True, 0.001, 0.0, ">"),
    )


def test_a_passed_verdict_says_what_was_not_judged():
    assert verdict(judge(GOOD, windows(5), LIMITS)) == "PASSED: all gates; not judged: lookahead, luck"


def test_a_rejection_gives_its_reasons_with_figures():
    gates = judge(replace(GOOD, trades=12, max_drawdown=0.625), windows(5), LIMITS)
    assert verdict(gates) == "REJECTED: trades 12 is not >= 30, drawdown 0.625 is not <= 0.5"


def test_a_rejection_gives_three_reasons_at_most():
    text = verdict(judge(Metrics(), (), LIMITS))
    assert text == "REJECTED: trades 0 is not >= 30, window_trades nan is not >= 5, exposure nan is not >= 0.01"
