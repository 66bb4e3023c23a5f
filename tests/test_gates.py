import math
from dataclasses import replace

import pytest

from arena import errors
from arena.records import Checks, Evidence, GateResult, Look, Metrics, Result, WindowResult
from arena.settings import Gates
from arena.stats.gates import EVIDENCE, LOW_SHARPE, evidence, failed, judge, verdict

LIMITS = Gates(
    max_relabel_loss=0.4, min_trades=30, min_trades_per_window=5, min_exposure=0.01, max_drawdown=0.5, min_profit=0.0
)
GOOD = Metrics(sharpe=1.0, trades=30, exposure=0.01, avg_position=0.02, max_drawdown=0.5, profit=0.001)
CHECKS = Checks(
    "quick",
    optimistic_fills=0.3,
    hidden_loss=0.3,
    top_share=0.6,
    pair_share=0.9,
    relabel_sharpe=0.25,
    relabel_loss=0.4,
    replay="agrees",
)
"""Every figure at its limit."""


def windows(*trades):
    return tuple(WindowResult(f"w{i}", Metrics(trades=n), Metrics()) for i, n in enumerate(trades))


def refused(own=GOOD, trades=(5, 25), checks=CHECKS, limits=LIMITS, n_pairs=3):
    return [gate.gate for gate in judge(own, windows(*trades), checks, limits, n_pairs=n_pairs) if not gate.passed]


def test_a_figure_at_its_limit_passes_and_profit_must_be_more():
    assert refused() == []
    assert refused(replace(GOOD, profit=0.0)) == ["profit"]  # cash earns as much


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"trades": 29}, "trades"),
        ({"exposure": 0.0099}, "exposure"),
        ({"avg_position": 0.0199}, "position"),
        ({"max_drawdown": 0.5001}, "drawdown"),
        ({"profit": -0.1}, "profit"),
    ],
)
def test_a_figure_beyond_its_limit_fails_its_gate_alone(change, gate):
    assert refused(replace(GOOD, **change)) == [gate]


FOUND = {
    "relabel_loss": "relabel",
    "optimistic_fills": "optimistic_fills",
    "hidden_loss": "hidden_loss",
    "top_share": "top_share",
    "pair_share": "pair_share",
}


@pytest.mark.parametrize(("field", "gate"), FOUND.items())
def test_what_the_checks_found_beyond_its_limit_fails_its_gate_alone(field, gate):
    assert refused(checks=replace(CHECKS, **{field: getattr(CHECKS, field) + 0.001})) == [gate]


@pytest.mark.parametrize(("field", "gate"), FOUND.items())
def test_what_the_checks_could_not_tell_fails_its_gate(field, gate):
    assert refused(checks=replace(CHECKS, **{field: math.nan})) == [gate]


def test_causality_that_was_not_checked_fails():
    assert refused(checks=replace(CHECKS, causality="")) == ["causality"]
    assert refused(checks=replace(CHECKS, causality="full")) == []


def test_the_window_with_the_fewest_trades_decides():
    assert refused(trades=(100, 4, 100)) == ["window_trades"]


@pytest.mark.parametrize(
    ("field", "gate"),
    [("exposure", "exposure"), ("avg_position", "position"), ("max_drawdown", "drawdown"), ("profit", "profit")],
)
def test_nan_says_no(field, gate):
    assert refused(replace(GOOD, **{field: math.nan})) == [gate]


def test_without_windows_their_gate_says_no():
    assert refused(trades=()) == ["window_trades"]


def test_a_strategy_of_which_nothing_is_known_passes_no_gate_but_those_that_made_a_result_of_it():
    gates = judge(Metrics(), (), Checks(), LIMITS, n_pairs=5)
    assert [gate.gate for gate in gates if gate.passed] == ["integrity", "determinism", "replay"]
    assert not [gate.gate for gate in evidence(Evidence(), Look(), LIMITS) if gate.passed]


@pytest.mark.parametrize(
    ("key", "value", "gate"),
    [
        ("max_relabel_loss", 0.3, "relabel"),
        ("max_optimistic_fills", 0.2, "optimistic_fills"),
        ("max_hidden_loss", 0.2, "hidden_loss"),
        ("min_trades", 31, "trades"),
        ("min_trades_per_window", 6, "window_trades"),
        ("min_exposure", 0.02, "exposure"),
        ("min_position", 0.03, "position"),
        ("max_top_share", 0.5, "top_share"),
        ("max_pair_share", 0.8, "pair_share"),
        ("max_drawdown", 0.4, "drawdown"),
        ("min_profit", 0.001, "profit"),
    ],
)
def test_every_limit_matters(key, value, gate):
    assert refused(limits=LIMITS.model_copy(update={key: value})) == [gate]


def test_no_limit_is_without_a_gate():
    assert set(Gates.model_fields) == {key for key, *_ in test_every_limit_matters.pytestmark[0].args[1]} | {"min_dsr"}


def shown(found=Evidence(trials=9, dsr=0.95), look=Look(asked=True, improved=True, best=0.3), limits=LIMITS):
    gates = evidence(found, look, limits)
    assert tuple(gate.gate for gate in gates) == EVIDENCE
    return [gate.gate for gate in gates if gate.passed]


def test_evidence_is_a_deflated_sharpe_at_its_limit_and_a_validation_above_zero():
    assert shown() == ["dsr", "validation"]
    assert shown(Evidence(dsr=0.9499)) == ["validation"]
    assert shown(Evidence(dsr=math.nan)) == ["validation"]
    assert shown(limits=LIMITS.model_copy(update={"min_dsr": 0.96})) == ["validation"]


@pytest.mark.parametrize(
    ("look", "passes"),
    [
        (Look(asked=True, improved=True, best=0.1), True),
        (Look(asked=True, improved=False, best=0.5), False),  # nobody asked for its sign
        (Look(asked=True, improved=False, best=0.5, positive=True), True),
        (Look(asked=True, improved=False, best=0.5, positive=False), False),
        (Look(asked=False, improved=True, best=0.5, positive=True), False),
    ],
)
def test_a_validation_passes_where_it_is_known_to_be_above_zero(look, passes):
    assert ("validation" in shown(look=look)) is passes


def test_a_replay_that_differs_fails_and_one_that_cannot_be_made_does_not_apply():
    assert refused(checks=replace(CHECKS, replay="differs")) == ["replay"]
    assert refused(checks=replace(CHECKS, replay="")) == []
    gates = {gate.gate: gate for gate in judge(GOOD, windows(5), replace(CHECKS, replay=""), LIMITS, n_pairs=3)}
    assert not gates["replay"].applies


@pytest.mark.parametrize("loss", [0.9, math.nan])
def test_a_result_too_small_to_lose_is_not_asked_to_survive_relabelling(loss):
    checks = replace(CHECKS, relabel_loss=loss)
    assert refused(replace(GOOD, sharpe=LOW_SHARPE - 0.001), checks=checks) == []
    assert refused(replace(GOOD, sharpe=-2.0), checks=checks) == []
    assert refused(replace(GOOD, sharpe=LOW_SHARPE), checks=checks) == ["relabel"]
    assert refused(replace(GOOD, sharpe=math.nan), checks=checks) == ["relabel"]


@pytest.mark.parametrize("share", [1.0, math.nan])
def test_one_of_two_pairs_may_make_all_the_profit(share):
    checks = replace(CHECKS, pair_share=share)
    assert [refused(checks=checks, n_pairs=n) for n in (1, 2, 3, 4)] == [[], [], ["pair_share"], ["pair_share"]]


def test_gates_that_do_not_apply_say_so_and_keep_their_figures():
    gates = {gate.gate: gate for gate in judge(replace(GOOD, sharpe=0.1), windows(5), CHECKS, LIMITS, n_pairs=2)}
    assert [name for name, gate in gates.items() if not gate.applies] == ["relabel", "pair_share"]
    assert gates["pair_share"] == GateResult("pair_share", True, 0.9, 0.9, "<=", applies=False)


def test_gates_stand_in_one_order_with_figure_limit_and_relation():
    gates = judge(GOOD, windows(7, 5, 9), CHECKS, LIMITS, n_pairs=3)
    assert [(gate.gate, gate.passed, gate.relation, gate.applies) for gate in gates[:4]] == [
        ("integrity", True, "", True),
        ("causality", True, "", True),
        ("determinism", True, "", True),
        ("replay", True, "", True),
    ]
    assert all(math.isnan(gate.figure) and math.isnan(gate.limit) for gate in gates[:4])
    assert gates[4:] == (
        GateResult("relabel", True, 0.4, 0.4, "<="),
        GateResult("optimistic_fills", True, 0.3, 0.3, "<="),
        GateResult("hidden_loss", True, 0.3, 0.3, "<="),
        GateResult("trades", True, 30.0, 30.0, ">="),
        GateResult("window_trades", True, 5.0, 5.0, ">="),
        GateResult("exposure", True, 0.01, 0.01, ">="),
        GateResult("position", True, 0.02, 0.02, ">="),
        GateResult("top_share", True, 0.6, 0.6, "<="),
        GateResult("pair_share", True, 0.9, 0.9, "<="),
        GateResult("drawdown", True, 0.5, 0.5, "<="),
        GateResult("profit", True, 0.001, 0.0, ">"),
    )


@pytest.mark.parametrize(
    ("error", "gate"),
    [
        (errors.IntegrityError, "integrity"),
        (errors.CausalityError, "causality"),
        (errors.DeterminismError, "determinism"),
    ],
)
def test_a_failure_of_a_gate_carries_that_gate_alone(error, gate):
    (found,) = failed(error.__name__)
    assert (found.gate, found.passed, found.applies, found.relation) == (gate, False, True, "")
    assert issubclass(error, errors.StrategyError)


@pytest.mark.parametrize("kind", ["", "StrategyError", "LimitError", "BookingError", "LoadError"])
def test_other_failures_have_no_gates(kind):
    assert failed(kind) == ()


RESULT = Result(
    "Trend", "", "", "", "", "", "", 0.0,
    evidence=Evidence(trials=9, dsr=0.97), look=Look(asked=True, improved=True, best=0.3),
)  # fmt: skip


def judged(own=GOOD, checks=CHECKS, result=RESULT):
    earned = judge(own, windows(5), checks, LIMITS, n_pairs=3)
    return verdict(replace(result, gates=(*earned, *evidence(result.evidence, result.look, LIMITS))))


def test_what_passes_everything_is_accepted_with_the_evidence():
    assert judged() == "ACCEPTED: all gates, dsr 0.97 over 9 trials, validation above zero"


def test_a_gate_that_does_not_apply_is_no_reason():
    gates = (GateResult("pair_share", False, math.nan, 0.9, "<=", applies=False),)
    assert verdict(replace(RESULT, gates=gates)).startswith("ACCEPTED")


def test_a_rejection_gives_its_reasons_with_figures():
    own = replace(GOOD, trades=12, max_drawdown=0.625)
    assert judged(own) == "REJECTED: trades 12 is not >= 30, drawdown 0.625 is not <= 0.5"


def test_a_rejection_by_a_gate_without_a_figure_names_it():
    assert judged(checks=replace(CHECKS, causality="")) == "REJECTED: causality is not shown"
    assert judged(checks=replace(CHECKS, replay="differs")) == "REJECTED: replay differs from FreqTrade's loop"


def test_a_rejection_for_want_of_evidence_says_why():
    alone = replace(RESULT, evidence=Evidence(trials=1, why="one trial alone"))
    assert judged(result=alone) == "REJECTED: dsr is undefined: one trial alone"
    weak = replace(RESULT, evidence=Evidence(trials=9, dsr=0.31))
    assert judged(result=weak) == "REJECTED: dsr 0.31 is not >= 0.95"
    unasked = replace(RESULT, look=Look(why="a gate says no"))
    assert judged(result=unasked) == "REJECTED: validation is not shown: a gate says no"
    beaten = replace(RESULT, look=Look(asked=True, best=0.5))
    assert judged(result=beaten) == "REJECTED: validation is not shown: no new best"


def test_a_rejection_gives_three_reasons_at_most():
    text = judged(replace(GOOD, trades=0, exposure=math.nan, max_drawdown=0.9, profit=-1))
    assert text == "REJECTED: trades 0 is not >= 30, exposure nan is not >= 0.01, drawdown 0.9 is not <= 0.5"
