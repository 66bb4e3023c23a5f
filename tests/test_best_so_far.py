"""The best so far: by evidence, one a line of descent, and told with figures and source whether it is active or not."""

import math

import pytest
from builders import arena
from driven import source

from arena.records import Evidence, GateResult, Metrics, Result
from loop import best_so_far
from loop.agents import command
from loop.protocol import State, Tried


def trial(number, name, dsr, robust, *, failed="", error="", event="create", parent="", kept=True):
    gates = (
        GateResult("trades", failed != "trades", 10.0, 30.0, ">="),
        GateResult("dsr", failed != "dsr", dsr, 0.95, ">="),
    )
    figures = {
        "own": Metrics(sharpe=robust + 0.1, max_drawdown=0.1, profit=0.2, trades=40),
        "evidence": Evidence(trials=number, dsr=dsr),
    }
    result = Result(name, "", "abc1234", "", "", "", "", 0.0, error=error, robust_sharpe=robust, gates=gates, **figures)
    return Tried(number, event, name, parent, source(name, 8 + number), result, kept, f"note {number}")


def named(history, most=10):
    return [(tried.strategy, tried.round) for tried in best_so_far.best(history, most)]


def test_evidence_counts_before_the_worst_window_and_both_before_what_fails_a_gate():
    history = [
        trial(1, "Low", 0.2, 0.9), trial(2, "High", 0.6, 0.1), trial(3, "Fails", 0.99, 2.0, failed="trades"),
        trial(4, "Luck", 0.6, 0.4, failed="dsr"), trial(5, "None", math.nan, 0.5),
        trial(6, "Crash", 0.99, 3.0, error="KeyError"),
    ]  # fmt: skip
    assert named(history) == [("Luck", 4), ("High", 2), ("Low", 1), ("None", 5), ("Fails", 3)]
    assert named(history, 2) == [("Luck", 4), ("High", 2)] and named(history, 0) == []


def test_a_line_of_descent_is_shown_once_by_its_best():
    history = [
        trial(1, "Alpha", 0.5, 0.5), trial(2, "Alpha", 0.7, 0.5, event="evolve", kept=False),
        trial(3, "Beta", 0.6, 0.5, event="fork", parent="Alpha"),
        trial(4, "Gamma", 0.65, 0.5, event="fork", parent="Beta"), trial(5, "Delta", 0.1, 0.5),
    ]  # fmt: skip
    assert named(history) == [("Alpha", 2), ("Delta", 5)]


def test_what_is_active_as_it_is_shows_its_source_elsewhere():
    best = best_so_far.best(
        [trial(1, "Alpha", 0.5, 0.5), trial(2, "Beta", 0.4, 0.5, kept=False), trial(3, "Gamma", 0.3, 0.5)], 3
    )
    told = best_so_far.told(best, {"Alpha": best[0].source, "Gamma": source("Gamma", 99)})
    assert (
        "1. Alpha of round 1, kept, active as it is\nsharpe 0.60, robust 0.50, dsr 0.500 over 1 trials, profit 20.0 %, "
        "drawdown 10.0 %, trades 40" in told
    )
    assert (
        "2. Beta of round 2, discarded, not active any more" in told
        and "3. Gamma of round 3, kept, active in another version" in told
    )
    assert [f"class {name}(" in told for name in ("Alpha", "Beta", "Gamma")] == [False, True, True]
    assert "note: note 2" in told and "REJECTED: trades 10" not in told and "ACCEPTED" in told


def test_a_fence_in_a_source_does_not_end_it():
    fenced = Tried(
        **{field: getattr(trial(1, "Alpha", 0.5, 0.5), field) for field in Tried.__slots__}
        | {"source": '"""\n```\n"""\n'}
    )
    assert best_so_far.told([fenced], {}).endswith('````python\n"""\n```\n"""\n````')


@pytest.mark.parametrize("lines", [100, 230])
def test_a_program_is_shown_the_best_and_asked_to_shorten_what_is_too_long(tmp_path, lines):
    best = best_so_far.best([trial(1, "Alpha", 0.5, 0.5)], 3)
    state = State(arena(tmp_path), 3, {}, (), "", "", (), "known\n" * lines, (), "", False, population=best)
    prompt = command.prompt_of(state)
    assert "The best so far, by evidence" in prompt and "class Alpha(" in prompt
    assert ("learnings.md is too long (230 lines, at most 200): rewrite it shorter in this round" in prompt) is (
        lines > 200
    )
