"""A proposal that would break program.md's rules is refused with what to do instead, before anything is written."""

import math

import pytest
from builders import arena
from driven import source

from arena.ledger import results_log
from arena.records import Metrics, Result
from loop import proposal_rules
from loop.protocol import Change, Proposal, State


@pytest.fixture
def state(tmp_path):
    """Alpha and Beta are active, Alpha untouched for three rounds."""
    active = {"Alpha": source("Alpha"), "Beta": source("Beta")}
    return State(arena(tmp_path), 5, active, (), "", "", (), "", (), "", False)


WRITTEN = results_log.parse(
    "\n".join(
        [
            results_log.HEADER,
            *(
                results_log.row(commit, "create" if k == 0 else "stable", "Alpha", 0.1, 0.1)
                for k, commit in enumerate(["1111111", "2222222", "3333333", "4444444"])
            ),
            results_log.row("4444444", "create", "Beta", 0.1, 0.1),
        ]
    ).encode()
)
TOUCHED = Change("evolve", "Alpha", source("Alpha", 9))


def told(state, *changes):
    return proposal_rules.problems(Proposal(changes), state, WRITTEN)


def new(name, event="create", parent=""):
    return Change(event, name, source(name), parent)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ((), "there is no change in it"),
        ((TOUCHED, Change("renew", "Beta", "x")), "event 'renew' of Beta is unknown. Use create, evolve, fork, kill."),
        ((TOUCHED, Change("evolve", "Bета", "x")), "no class name"),
        ((TOUCHED, new("../../run")), "no class name"),
        ((TOUCHED, new("a/b")), "no class name"),
        ((TOUCHED, new("_Hidden")), "begins with an underscore"),
        ((TOUCHED, new("")), "no class name"),
        ((TOUCHED, new("x" * 61)), "at most 60"),
        ((TOUCHED, new("class")), "a word of Python's own"),
        ((TOUCHED, Change("evolve", "Bet", "x")), "evolve of Bet, which is not active. Did you mean Beta?"),
        ((TOUCHED, Change("kill", "Zulu")), "kill of Zulu, which is not active. Active: Alpha, Beta."),
        (
            (TOUCHED, Change("create", "Beta", "x")),
            "create of Beta, which is already active. Use evolve, or another name.",
        ),
        (
            (TOUCHED, new("Gamma", "fork", "Omega")),
            "fork of Omega to Gamma: the parent is no other strategy of this run",
        ),
        ((TOUCHED, new("Gamma", "fork", "Gamma")), "the parent is no other strategy"),
        ((TOUCHED, Change("evolve", "Beta", " \n")), "evolve of Beta without a source. Give the whole file."),
        ((TOUCHED, Change("evolve", "Beta", source("Beta"))), "Beta is unchanged"),
        ((TOUCHED, Change("evolve", "Beta", "#" * 1_000_001)), "larger than 1 MB"),
        ((TOUCHED, Change("kill", "Beta"), Change("evolve", "Beta", "x")), "Beta is changed twice"),
        (
            (Change("evolve", "Beta", source("Beta", 9)),),
            "Alpha was stable for 3 rounds in a row: evolve, fork or kill it now.",
        ),
        ((Change("kill", "Alpha"), Change("kill", "Beta")), "no strategy would be left"),
        (
            (TOUCHED, new("Gamma"), new("Delta")),
            "4 strategies would be active (Alpha, Beta, Delta, Gamma), arena.max_strategies is 3. Kill 1 in the same "
            "round.",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(state, changes, words):
    found = told(state, *changes)
    assert len(found) == 1 and words in found[0]


@pytest.mark.parametrize(
    "changes",
    [
        (TOUCHED,),
        (TOUCHED, new("Gamma")),
        (Change("kill", "Alpha"), new("Gamma"), new("Delta")),
        (new("Gamma", "fork", "Alpha"),),  # a forked parent counts as touched
        (TOUCHED, Change("evolve", "Beta", "class Beta(")),  # what only running shows becomes a failed round
    ],
)
def test_what_keeps_the_rules_is_no_problem(state, changes):
    assert told(state, *changes) == []


def test_what_is_put_back_gives_way_to_what_is_changed_anyway():
    restore = {"Alpha": "good", "New": None}
    folder = {"Alpha": "worse", "Beta": "b", "New": "worse"}
    assert proposal_rules.files(Proposal((Change("evolve", "Beta", "c"),)), folder, restore) == {
        "Alpha": "good",
        "New": None,
        "Beta": "c",
    }
    assert proposal_rules.files(Proposal((Change("evolve", "Alpha", "better"),)), folder, restore) == {
        "Alpha": "better",
        "New": None,
    }
    assert proposal_rules.files(Proposal((Change("kill", "Alpha"),)), folder, {}) == {"Alpha": None}
    assert proposal_rules.files(Proposal((Change("evolve", "Alpha", "worse"),)), folder, {}) == {}


def test_equal_proposals_of_two_rounds_make_two_messages():
    one = Proposal((Change("fork", "Gamma", "x", "Alpha", "hypothesis\n-> robust up"),))
    assert proposal_rules.message(3, one) == "round 3: fork Gamma from Alpha\n\nGamma: hypothesis -> robust up"
    assert proposal_rules.message(3, one) != proposal_rules.message(4, one)


def test_a_note_is_one_row_whatever_an_agent_writes():
    result = Result(
        "A", "a", "b", "c", "s", "full", "booking", 1.0, own=Metrics(sharpe=0.5, trades=30), robust_sharpe=math.nan
    )
    words = proposal_rules.note("tabs\tand\nlines" + "x" * 500, None, result, False, "no gain")
    row = results_log.row("abc1234", "create", "A", 0.5, 0.1, words)
    assert not results_log.parse(f"{results_log.HEADER}\n{row}\n".encode()).problems
    assert (
        words.startswith("tabs and lines")
        and words.endswith("robust nan, sharpe 0.50, trades 30 -> discarded: no gain")
        and len(words) < 400
    )
