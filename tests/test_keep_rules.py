"""Keep or discard is what section 5 of program.md says, figure by figure and gate by gate."""

import math

import pytest

from arena.records import GateResult, Metrics, Result
from loop import keep_rules
from loop.keep_rules import Decision

SHORT = "class A(IStrategy):\n    stoploss = -0.1\n"
LONG = "class A(IStrategy):\n    stoploss = -0.1\n    trailing_stop = True\n"


def result(sharpe=0.5, robust=0.2, *, error="", **gates):
    """A Result with these figures and gates: True says PASS, False FAIL, None that the gate does not apply."""
    told = tuple(
        GateResult(name, says is not False, 1.0, 1.0, ">=", applies=says is not None) for name, says in gates.items()
    )
    return Result(
        "A",
        "a" * 64,
        "abc1234",
        "c",
        "s",
        "full",
        "booking",
        1.0,
        error=error,
        own=Metrics(sharpe=sharpe),
        robust_sharpe=robust,
        gates=told,
    )


def evolved(after, before=None, source_before=SHORT, source_after=LONG):
    return keep_rules.evolved(before or result(), after, source_before, source_after)


@pytest.mark.parametrize(
    ("sharpe", "robust", "keep"),
    [
        (0.5, 0.26, True),
        (0.56, 0.2, True),
        (0.46, 0.26, True),  # a loss within the step is granted
        (0.44, 0.30, False),
        (0.60, 0.14, False),
        (0.54, 0.24, False),
        (math.nan, 0.3, False),
        (0.6, math.nan, False),
    ],
)
def test_a_gain_in_one_figure_is_kept_where_the_other_does_not_fall(sharpe, robust, keep):
    decision = evolved(result(sharpe, robust))
    assert (decision.keep, decision.gain) == (keep, keep)


def test_simpler_code_at_equal_figures_is_kept_and_no_gain():
    decision = evolved(result(0.52, 0.18), source_before=LONG, source_after=SHORT)
    assert (decision.keep, decision.gain) == (True, False)
    assert "simpler" in decision.why
    assert not evolved(result(0.52, 0.18), source_before=SHORT, source_after=SHORT).keep


def test_comments_and_docstrings_make_no_code_longer():
    told = 'class A(IStrategy):\n    """Why it works."""\n\n    stoploss = -0.1  # ten per cent\n'
    assert keep_rules.size(told) == keep_rules.size(SHORT) < keep_rules.size(LONG) < keep_rules.size("class A(")


def test_a_gate_that_passed_and_fails_now_discards_a_gain():
    decision = evolved(result(0.9, 0.9, trades=False), result(trades=True))
    assert not decision.keep
    assert decision.why == "trades said PASS and says FAIL"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"dsr": True, "validation": True}, {"dsr": False, "validation": False}),  # every trial moves them
        ({"trades": False}, {"trades": False}),
        ({"relabel": None}, {"relabel": False}),  # it did not say PASS before
        ({"relabel": True}, {"relabel": None}),
        ({}, {"trades": False}),
    ],
)
def test_other_changes_of_gates_discard_nothing(before, after):
    assert evolved(result(0.9, 0.9, **after), result(**before)).keep


def test_a_failure_is_discarded_whatever_was_before():
    assert not evolved(result(error="LimitError: time"), result(error="broken")).keep
    assert keep_rules.created(result(error="integrity: stoploss")).why == "fails: integrity: stoploss"


def test_what_works_where_nothing_did_before_is_a_gain():
    assert evolved(result(-1.0, -2.0), result(math.nan, math.nan, error="SyntaxError")).gain


def test_a_new_strategy_stays_when_its_sharpe_is_defined():
    assert keep_rules.created(result(-0.5, -1.0)).keep
    assert not keep_rules.created(result(math.nan, math.nan)).keep


def test_what_takes_a_killed_ones_place_has_to_be_better():
    assert keep_rules.replaced(result(0.5, 0.2), result(0.6, 0.2)).gain
    worse = keep_rules.replaced(result(0.5, 0.2), result(0.3, 0.5))
    assert (worse.keep, worse.why) == (False, "in the place of A: sharpe fell by more than 0.05 or cannot be told")
    assert not keep_rules.replaced(result(0.5, 0.2), result(0.5, 0.2)).keep
    assert not keep_rules.replaced(result(math.nan, math.nan, error="broken"), result(error="too")).keep


def test_the_best_new_one_takes_the_place_of_the_best_that_was_killed():
    new = {"C": result(0.1), "D": result(0.9), "E": result(math.nan)}
    assert keep_rules.places(new, {"A": result(-0.5), "B": result(0.5)}) == {"D": "B", "C": "A"}
    assert keep_rules.places({"C": result(0.1)}, {"A": result(error="x"), "B": result(-0.5)}) == {"C": "B"}
    assert keep_rules.places(new, {}) == keep_rules.places({}, {"A": result()}) == {}


KEPT, GAIN, WORSE = Decision(True, "simpler"), Decision(True, "rose", gain=True), Decision(False, "fell")


def test_a_commit_in_which_one_got_better_is_kept_and_the_others_are_restored():
    verdict = keep_rules.verdict({"A": GAIN, "B": WORSE, "C": WORSE}, killed=False)
    assert (verdict.keep, verdict.gain, verdict.restore) == (True, True, ("B", "C"))
    assert verdict.why == "A: rose; B: fell; C: fell"


def test_a_commit_in_which_all_got_worse_is_discarded_and_leaves_nothing_to_restore():
    assert keep_rules.verdict({"A": WORSE, "B": WORSE}, killed=False) == keep_rules.Verdict(
        False, "A: fell; B: fell", False
    )


def test_a_kill_alone_is_kept_and_one_beside_a_failure_is_not():
    assert keep_rules.verdict({}, killed=True).keep
    assert not keep_rules.verdict({}, killed=True).gain
    assert not keep_rules.verdict({"A": WORSE}, killed=True).keep
    assert keep_rules.verdict({"A": KEPT}, killed=True).keep
