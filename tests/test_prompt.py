"""What a model is told before a round, and what it is not told when there is no room."""

import re
from dataclasses import replace

import pytest
from arenas import ROOT, configured
from test_to_changes import code

from arena.ledger import results_log
from arena.records import Metrics, Result
from arena.reports import block
from loop.agents.llm import answer, prompt
from loop.agents.llm.client import tokens
from loop.agents.llm.prompt import SHAPES, PromptTooLong, clipped, fitted
from loop.protocol import State, Tried

GUIDE = prompt.guide(ROOT)
PLENTY = 1_000_000


def result(name, sharpe, number):
    own = Metrics(sharpe=sharpe, max_drawdown=0.1)
    return Result(name, "f" * 64, f"aaaaaa{number}", "c" * 64, "sample", "full", "booking", 1.0, own=own)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The fifth round: MeanRev changed in the fourth, Trend did not; every part of the prompt has a word of its own."""
    settings = configured(tmp_path_factory.mktemp("arena"))
    tried = [
        Tried(
            number,
            "evolve" if name == "MeanRev" else "stable",
            name,
            "",
            code(name),
            result(name, 0.1 * number, number),
            True,
            f"note {number}",
        )
        for number in range(1, 5)
        for name in ("MeanRev", "Trend")
    ]
    rows = [
        results_log.HEADER,
        *(results_log.row(t.result.commit, t.event, t.strategy, t.result.own.sharpe, 0.1, t.note) for t in tried),
    ]
    blocks = "".join(block.block(t.result, rows[k]) for k, t in enumerate(tried, 1) if t.round == 4)
    return State(
        settings=settings,
        round=5,
        active={
            "MeanRev": '"""\nHypothesis: dips\n"""\n' + code("MeanRev"),
            "Trend": '"""\nHypothesis: trends go on\n"""\n' + code("Trend", 40),
        },
        history=tuple(tried),
        blocks=blocks,
        rows="\n".join(rows) + "\n",
        demands=("touch at least one strategy",),
        learnings="# What holds\n" + "".join(f"finding {number}\n" for number in range(1, 150)),
        nudges=("look at weekends",),
        brief="Few trades, please.",
        plateau=True,
        problems=("evolve MeanRev: SyntaxError",),
    )


def text(state, room=PLENTY):
    return "\n".join(message["content"] for message in fitted(state, GUIDE, room)[0])


def test_all_that_is_known_is_told(state):
    told = text(state)
    for part in (
        "pairs: BTC/USDT, "
        "ETH/USDT", "spring 2021-03-01 to 2021-06-01", "min_trades=30", "fee: 0.1 % a fill", "at most 3 strategies",
        "Few trades, please.", "finding 149", "look at weekends", "demand: touch at least one "
                                                                  "strategy", "plateau: five rounds",
        "- evolve MeanRev: SyntaxError", "aaaaaa4\tevolve\tMeanRev", "class Trend(IStrategy)", "1 of 3 slots free",
        "class MyStrategy(IStrategy)", "### fork Parent -> Child", "# Blocks of round 3", "# Round 5",
    ):  # fmt: skip
        assert part in told, part


def test_what_there_is_not_is_not_told(state):
    bare = replace(
        state,
        blocks="",
        rows="",
        history=(),
        learnings="",
        nudges=(),
        brief="",
        plateau=False,
        problems=(),
        demands=(),
        active={},
    )
    told = text(bare)
    for part in (
        "The last round's blocks",
        "results.tsv\n\n",
        "# learnings.md\n",
        "plateau: five",
        "demand:",
        "refused",
        "What the person wants",
        "as they are now",
    ):
        assert part not in told, part
    assert "active: none; 3 of 3 slots free" in told


def test_the_rules_are_those_of_program_md(state):
    program = (ROOT / "program.md").read_text()
    sections = re.split(r"^(?=## )", program, flags=re.MULTILINE)
    told = text(state)
    for number, section in enumerate(sections):
        assert (section.strip() in told) is (number in prompt.SECTIONS)


def test_a_program_without_its_sections_is_refused(tmp_path):
    (tmp_path / "program.md").write_text("# A program\n\n## 1. Set-up\n\nBegin.\n")
    with pytest.raises(OSError, match=r"program\.md has no section 3; the prompt is made of sections 3, 5, 6, 7, 8, 9"):
        prompt.guide(tmp_path)


def test_the_format_that_is_asked_for_is_the_one_that_is_read(state):
    asked = prompt.FORMAT.replace(
        "(the whole file MeanRev.py, from the first line to the last, with class MeanRev(IStrategy))",
        code("MeanRev", 25),
    )
    read = answer.read(asked)
    assert [(draft.event, draft.name) for draft in read.drafts] == [("evolve", "MeanRev")]
    assert read.drafts[0].note.startswith("exit at the mean, not above it -> ")
    assert read.learnings == "(what the next researcher should know, under 200 lines)"


def test_every_shape_is_shorter_than_the_one_before_and_none_is_longer_than_its_room(state):
    sizes = [sum(tokens(m["content"]) for m in prompt._messages(state, GUIDE, shape)) for shape in SHAPES]
    assert sizes == sorted(sizes, reverse=True)
    for room in sizes:
        messages, _ = fitted(state, GUIDE, room)
        assert sum(tokens(m["content"]) for m in messages) <= room
    with pytest.raises(PromptTooLong) as caught:
        fitted(state, GUIDE, sizes[-1] - 1)
    assert caught.value.needed == sizes[-1]


def test_blocks_go_first_then_rows_then_the_sources_of_what_rests(state):
    """Walks down the rooms and notes when each part is gone for the first time."""
    parts = {
        "old block": "# Blocks of round 1",
        "newer block": "# Blocks of round 3",
        "old row": "aaaaaa1\tstable\tTrend",
        "source at rest": "class Trend(IStrategy)",
    }
    gone = {}
    for number, shape in enumerate(SHAPES):
        told = "\n".join(m["content"] for m in prompt._messages(state, GUIDE, shape))
        for name, part in parts.items():
            if part not in told:
                gone.setdefault(name, number)
    assert gone["old block"] < gone["newer block"] < gone["old row"] < gone["source at rest"]


def test_in_the_shortest_prompt_stand_the_demands_the_format_and_what_changed_last(state):
    told = "\n".join(m["content"] for m in prompt._messages(state, GUIDE, SHAPES[-1]))
    for part in (
        "demand: touch at least one strategy",
        "### evolve MeanRev",
        "class MeanRev(IStrategy)",
        "look at weekends",
        "- evolve MeanRev: SyntaxError",
    ):
        assert part in told
    assert "class Trend(IStrategy)" not in told
    assert "Hypothesis: trends go on" in told
    bound = replace(state, demands=("Trend: 3 stable rounds in a row, so evolve, fork or kill it now",))
    assert "class Trend(IStrategy)" in "\n".join(m["content"] for m in prompt._messages(bound, GUIDE, SHAPES[-1]))


def test_rows_that_are_left_out_are_summarised_by_strategy(state):
    told = prompt._rows(state.rows, 2)
    assert "6 older rows, by strategy:" in told
    assert "- MeanRev: 3 evolve; best sharpe 0.30; last: note 3" in told
    assert "aaaaaa4\tstable\tTrend\t0.4000\t-10.0\tnote 4" in told
    assert "aaaaaa3\t" not in told


def test_a_fence_in_a_text_does_not_end_the_prompts_own(state):
    fenced = replace(state, learnings="```python\nx = 1\n```\n")
    assert "````markdown\n```python\nx = 1\n```\n````" in text(fenced)


def test_a_message_that_is_too_long_loses_its_middle():
    message = {"role": "assistant", "content": "begin " + "x" * 3000 + " end"}
    short = clipped(message, 100)
    assert short["content"].startswith("begin x")
    assert short["content"].endswith("x end")
    assert tokens(short["content"]) < 120
    assert clipped(message, 2000) is message


def test_the_best_so_far_is_told_with_its_source_and_goes_first(state):
    best = Tried(2, "create", "Gone", "", code("Gone", 77), result("Gone", 1.5, 2), False, "an old idea")
    told = text(replace(state, population=(best,)))
    assert (
        "# The best so far" in told
        and "Gone of round 2, discarded, not active any more" in told
        and "class Gone(IStrategy)" in told
    )
    full = sum(
        tokens(message["content"]) for message in prompt._messages(replace(state, population=(best,)), GUIDE, SHAPES[0])
    )
    shorter = text(replace(state, population=(best,)), full - 1)
    assert "class Gone" not in shorter and shorter == text(state)
    assert "# The best so far" not in text(state)


def test_learnings_that_are_too_long_are_to_be_rewritten_where_all_of_them_is_shown(state):
    longer = replace(state, learnings="".join(f"finding {number}\n" for number in range(230)))
    assert (
        "learnings.md is too long (230 lines, at most 200): rewrite it shorter in this answer, under `### learnings`."
        in text(longer)
    )
    cut = next(shape for shape in SHAPES if shape.learnings == 100)
    assert "too long" not in "\n".join(message["content"] for message in prompt._messages(longer, GUIDE, cut))
    assert "too long" not in text(state)
