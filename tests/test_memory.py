"""
Learnings stay short by rule, a nudge is shown until a note has taken it up, five rounds without a gain are a plateau.
"""

import math
from dataclasses import replace

import pytest

from arena.ledger import results_log
from loop import memory
from loop.protocol import Proposal, Tried
from loop.run_log import Round


def played(number, *, kept=False, gain=False, step="settled", event="evolve", note="idea -> discarded"):
    tried = (
        Tried(number, event, "Alpha", "", "x", None, kept, note),
        Tried(number, "stable", "Beta", "", "x", None, True, ""),
    )
    return Round("t", number, step, "a", 0, "", "h", "c", {}, {}, Proposal(), kept=kept, gain=gain, tried=tried)


def test_five_rounds_without_a_kept_gain_are_a_plateau():
    rounds = [played(1, kept=True, gain=True), *(played(k) for k in range(2, 6))]
    assert not memory.plateau(rounds)
    assert memory.plateau([*rounds, played(6)])
    assert memory.plateau([*rounds, played(6, kept=True)])  # simpler code is no gain
    assert not memory.plateau([*rounds, played(6, kept=True, gain=True)])
    assert not memory.plateau([*rounds, played(6, step="skipped")])


def test_a_nudge_is_new_until_a_note_has_its_first_words():
    text = "# ideas\n\n- Try the weekend effect on ETH\nuse  volume\nuse volume\n"
    assert memory.nudges(text, results_log.Journal()) == ("Try the weekend effect on ETH", "use  volume", "use volume")
    row = results_log.row("abc1234", "create", "A", 0.1, 0.1, "quiet weekends; Nudge: try the weekend effect -> kept")
    written = results_log.parse(f"{results_log.HEADER}\n{row}\n".encode())
    assert memory.taken_up("Try the weekend effect on ETH") == "nudge: Try the weekend effect"
    assert memory.nudges(text, written) == ("use  volume", "use volume")


def test_a_round_is_learned_once():
    once = memory.learned("# mine\n", played(3))
    assert once == "# mine\n- round 3, discarded: evolve Alpha: idea -> discarded\n"
    assert memory.learned(once, played(3)) == once
    assert memory.learned("", played(4, kept=True)).startswith("- round 4, kept: ")


def test_learnings_never_outgrow_their_lines_and_count_what_they_drop():
    text = "# what a person wrote\nkeep this\n"
    for number in range(1, 1001):
        text = memory.learned(text, played(number, kept=number % 10 == 0))
        assert len(text.splitlines()) <= memory.MAX_LINES
    lines = text.splitlines()
    assert lines[:2] == ["# what a person wrote", "keep this"]
    folded = [line for line in lines if memory.FOLDED in line]
    told = sum(", discarded: " in line and line.startswith("- round ") for line in lines)
    assert len(folded) == 1
    assert folded[0] == f"- older rounds, discarded: {900 - told} (evolve Alpha {900 - told})"
    assert lines[-1].startswith("- round 1000, kept")


def test_lines_of_others_alone_are_left_as_they_are():
    text = "\n".join(f"line {k}" for k in range(300)) + "\n"
    assert memory.compacted(text) == text


@pytest.mark.parametrize("most", [10, 50])
def test_kept_rounds_go_last(most):
    rounds = [played(k, kept=k % 2 == 0) for k in range(1, 61)]
    lines = [f"- round {one.number}, {'kept' if one.kept else 'discarded'}: evolve Alpha: x" for one in rounds]
    told = memory.compacted("\n".join(lines) + "\n", most).splitlines()
    assert len(told) <= most
    kept = [line for line in told if ", kept: " in line]
    assert len(kept) == min(30, most - 1)
    assert kept[-1] == lines[-1]


def test_a_round_may_have_no_figures():
    assert math.isnan(replace(played(1)).luck_line)


def test_an_agent_that_reads_has_a_few_rounds_to_rewrite_what_is_too_long():
    text, spared = "", ""
    for number in range(1, memory.MAX_LINES + 10):
        text, spared = memory.learned(text, played(number)), memory.learned(spared, played(number), spare=memory.SPARE)
    assert not memory.oversize(text)
    assert memory.oversize(spared) == f"{memory.MAX_LINES + 9} lines, at most {memory.MAX_LINES}"
    for number in range(memory.MAX_LINES + 10, memory.MAX_LINES + memory.SPARE + 2):
        spared = memory.learned(spared, played(number), spare=memory.SPARE)
    assert not memory.oversize(spared) and memory.FOLDED in spared


def test_few_but_long_lines_are_shortened_by_rule_too():
    text = "what a person wrote\n"
    for number in range(1, 150):
        text = memory.learned(text, played(number, note="x" * 590, kept=number % 3 == 0))
        assert len(text) <= memory.MAX_CHARS
    assert text.startswith("what a person wrote\n") and "- round 149, " in text and memory.FOLDED in text
    assert memory.oversize("y" * 50_000 + "\n") == "50001 characters, at most 40000"
    assert memory.shortened("y" * 50_000 + "\n") == "y" * 50_000 + "\n"  # of somebody else
