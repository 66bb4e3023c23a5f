"""
What an answer comes to: every text in tests/answers, read and judged in one arena of three slots with two strategies.
"""

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from arenas import configured

from arena.ledger import results_log, strategy_files
from loop.agents.llm import answer
from loop.agents.llm.to_changes import settle
from loop.agents.source_text import renamed, trimmed
from loop.protocol import State, Tried

ANSWERS = Path(__file__).parent / "answers"
CODE = """\
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class {name}(IStrategy):
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {{"0": 10}}
    stoploss = -0.10

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < {rsi}, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 55, "exit_long"] = 1
        return dataframe
"""


def code(name, rsi=30):
    return CODE.format(name=name, rsi=rsi)


def fenced(name, rsi=30):
    return f"```python\n{code(name, rsi)}```\n"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    settings = configured(tmp_path_factory.mktemp("arena"))
    active = {"MeanRev": code("MeanRev", 30), "Trend": code("Trend", 40)}
    return State(settings, 3, active, (), "", "", (), "# What holds\nNothing yet.\n", (), "", False)


def settled(text, state):
    return settle(answer.read(text), state)


def told(changes):
    """
    Each change as `event Name rsi: note`, `rsi` being the threshold that tells one version of the file from another.
    """
    lines = []
    for change in changes:
        rsi = re.search(r'"rsi"\] < (\d+)', change.source)
        name = f"{change.parent}->{change.strategy}" if change.parent else change.strategy
        lines.append(f"{change.event} {name}{f' {rsi[1]}' if rsi else ''}: {change.note}")
    return lines


KILL_TREND = "kill Trend: lives from one window"
USED = {
    "as-asked": [
        "evolve MeanRev 25: a deeper dip reverts more -> robust_sharpe +0.1",
        "create Breakout 30: new highs go on -> trades in the bull window",
        "kill Trend: nothing left to learn",
    ],
    "prose-around": ["evolve MeanRev 26: exit earlier -> fewer losses"],
    "last-fence-unclosed": ["evolve MeanRev 24: deeper -> better"],
    "last-fence-unclosed-with-prose-after": ["evolve MeanRev 24: deeper -> better"],
    "first-fence-unclosed": ["evolve MeanRev 24: deeper", "evolve Trend 41: slower"],
    "fence-unclosed-before-a-kill": ["evolve MeanRev 24: deeper", "kill Trend: it lives from one window"],
    "no-fences": ["evolve MeanRev 23: deeper -> better", "kill Trend: done"],
    "no-fences-with-prose-around": ["evolve MeanRev 23: deep dips revert"],
    "several-blocks-last-whole-one-wins": ["evolve MeanRev 22: tighter"],
    "twice-under-the-same-heading": ["evolve MeanRev 22: second thought"],
    "twice-the-second-broken": ["evolve MeanRev 21: whole"],
    "wrong-class-name": ["create DeepDip 20: dips revert"],
    "thinking": ["evolve MeanRev 19: deeper"],
    "thinking-without-its-beginning": ["evolve MeanRev 19: deeper"],
    "thinking-without-its-end": ["evolve MeanRev 19: deeper"],
    "thinking-tag-in-a-comment": ["evolve MeanRev 18: deeper"],
    "json": ["evolve MeanRev 17: deeper -> better", "kill Trend: done"],
    "json-in-a-fence-with-other-keys": ["evolve MeanRev 17: deeper", "kill Trend: "],
    "json-with-line-ends-in-strings": ["evolve MeanRev 17: deeper"],
    "json-with-tripled-quotes-and-a-last-comma": ["evolve MeanRev 17: "],
    "json-with-comments-and-a-last-comma": ["evolve MeanRev 17: "],
    "json-of-names-and-files": ["evolve MeanRev 16: "],
    "other-words-for-events": ["evolve MeanRev 15: deeper", "kill Trend: one window", "create Breakout 30: highs"],
    "bold-headings": ["evolve MeanRev 15: deeper -> better", KILL_TREND],
    "numbered-headings-with-the-event-behind": ["evolve MeanRev 15: deeper", "kill Trend: flat"],
    "windows-line-ends": ["evolve MeanRev 14: deeper"],
    "evolve-of-an-unknown-name": ["create Breakout 30: highs go on"],
    "evolve-of-a-name-in-other-capitals": ["evolve MeanRev 14: deeper"],
    "evolve-named-unlike-its-class": ["evolve MeanRev 14: deeper"],
    "evolve-with-the-class-of-another": ["evolve Trend 4: dips instead"],
    "create-of-an-active-name": ["evolve MeanRev 14: deeper"],
    "fork": ["fork MeanRev->DeepDip 12: the same in deeper dips"],
    "fork-from-in-words": ["fork MeanRev->DeepDip 12: the same in deeper dips"],
    "fork-with-its-parent-below": ["fork MeanRev->DeepDip 12: the same in deeper dips"],
    "fork-of-an-unknown-parent": ["create DeepDip 12: dips"],
    "no-heading-one-class": ["evolve MeanRev 11: "],
    "no-heading-a-new-class": ["create Breakout 35: new highs go on"],
    "heading-without-a-name": ["create Breakout 30: highs"],
    "fence-within-a-fence": ["evolve MeanRev 10: deeper"],
    "whole-answer-in-a-fence-of-three": ["evolve MeanRev 10: deeper", "kill Trend: flat"],
    "fences-in-learnings": ["evolve MeanRev 10: deeper"],
    "heading-in-a-comment": ["evolve MeanRev 9: deeper"],
    "heading-in-a-docstring": ["evolve MeanRev 9: deeper"],
    "indented-in-a-list": ["evolve MeanRev 8: deeper", "kill Trend: flat in every window"],
    "tildes": ["evolve MeanRev 8: deeper"],
    "a-block-for-run-py": ["evolve MeanRev 7: deeper"],
    "the-format-repeated-first": ["evolve MeanRev 5: deeper dips"],
    "a-note-behind-the-heading": ["evolve MeanRev 5: a deeper dip reverts more"],
}
"""What answers come to that can be used, by the name of their file."""
REFUSED = {
    "wrong-class-name-and-the-name-is-taken": r"create DeepDip: the class is MyStrategy, the file is DeepDip\.py\. "
    r"Name them alike\.",
    "two-strategies-in-a-file": r"create DeepDip: holds 2 strategies \(DeepDip, Shallow\)\. One strategy a file\.",
    "json-broken": r"there is no strategy in the answer: no heading such as `### evolve Name`, and no block of "
    r"Python\.",
    "a-path-that-leaves-the-folder": r"create \.\./\.\./run: '\.\./\.\./run' is a path, not a name\. .*",
    "a-path-in-json": r"create \.\./\.\./arena/gates: '\.\./\.\./arena/gates' is a path, not a name\. .*",
    "run-py-as-a-strategy": r"evolve run: no strategy in run\.py\. It needs `class run\(IStrategy\):`\.",
    "nothing-but-prose": r"there is no strategy in the answer: .*",
    "cut-off-in-a-method": r"evolve MeanRev: SyntaxError: .*line 19 \(MeanRev\.py:19: def populate_exit_trend.*",
    "only-the-part-that-changes": r"evolve MeanRev: SyntaxError: unexpected indent, line 1 .*",
    "no-strategy-class": r"evolve MeanRev: no strategy in MeanRev\.py\. It needs `class MeanRev\(IStrategy\):`\.",
    "unchanged": r"there is no change in it\. Every round touches at least one strategy\.",
    "killed-and-changed": r"MeanRev is changed twice\. Name each strategy once\.",
    "kill-of-an-unknown-name": r"kill Nobody: there is no strategy 'Nobody' to kill\. Active: MeanRev, Trend\.",
    "too-many": r"4 strategies would be active \(A, B, MeanRev, Trend\), arena\.max_strategies is 3\. Kill 1 in the same round\.",
    "a-name-that-others-import": r"MeanRev imports talib, so no strategy can be called talib\. Use another name\.",
    "a-reserved-name": r"create lambda: file name 'lambda\.py' is no class name: lambda is a word of Python's own\.",
    "a-name-too-long": r"create (Mean)+M?: file name (Mean)+… has 80 letters\. Use at most 60\.",
    "an-underscored-name": r"create _Draft: '_Draft' begins with an underscore, and such files are ignored\. Use "
    r"another name\.",
    "a-basket-of-foreign-pairs": r"evolve MeanRev: pair_basket names 'DOGE/USDT', which the arena does not trade\. Did "
    r"you mean 'ETH/USDT'\?",
}
"""The first problem of those that cannot."""


def text_of(name):
    return (ANSWERS / f"{name}.md").read_bytes().decode()


def test_every_answer_is_expected_and_every_expectation_has_one():
    assert {file.stem for file in ANSWERS.glob("*.md")} == {*USED, *REFUSED}
    assert len(USED) + len(REFUSED) >= 25


@pytest.mark.parametrize("name", USED)
def test_an_answer_as_models_write_them_comes_to(name, state):
    found = settled(text_of(name), state)
    assert found.problems == ()
    assert told(found.changes) == USED[name]
    for change in found.changes:
        if change.event != "kill":  # what run.py would say of the file
            path = state.settings.root / strategy_files.FOLDER / f"{change.strategy}.py"
            assert strategy_files.examine(path, state.settings, change.source.encode()).name == change.strategy


@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_that_cannot_be_used_is_refused_with(name, state):
    assert re.fullmatch(REFUSED[name], settled(text_of(name), state).problems[0])


@pytest.mark.parametrize("name", sorted({*USED, *REFUSED} - {"cut-off-in-a-method", "windows-line-ends"}))
def test_windows_line_ends_change_nothing(name, state):
    text = text_of(name)
    assert settled(text.replace("\n", "\r\n"), state) == settled(text, state)


@pytest.mark.parametrize(
    ("name", "learnings"),
    [
        ("as-asked", "# What holds\nDips revert in winter.\n"),
        ("bold-headings", "Dips revert.\n"),
        ("json", "# What holds\nDips.\n"),
        ("prose-around", None),
    ],
)
def test_learnings_are_the_whole_text_below_their_heading(name, learnings, state):
    assert settled(text_of(name), state).learnings == learnings


def test_learnings_keep_the_fences_and_headings_that_stand_in_their_own(state):
    learnings = settled(text_of("fences-in-learnings"), state).learnings
    assert learnings.startswith("# Ideas\n")
    assert "```python\ndataframe.loc" in learnings
    assert learnings.endswith("### kill criteria\nbelow zero in two windows\n")


def test_learnings_that_say_the_same_are_no_change_and_long_ones_are_refused(state):
    evolve = f"### evolve MeanRev\n{fenced('MeanRev', 20)}"
    assert settled(f"{evolve}### learnings\n{state.learnings}", state).learnings is None
    long = settled(f"{evolve}### learnings\n```\n" + "a line\n" * 201 + "```\n", state)
    assert long.problems == ("learnings: 201 lines, at most 200. Merge, correct, delete.",)


def test_an_evolve_of_an_unknown_name_needs_a_free_slot(state):
    full = replace(state, active={**state.active, "Third": code("Third", 50)})
    assert "4 strategies would be active" in settled(text_of("evolve-of-an-unknown-name"), full).problems[0]
    assert told(settled(text_of("evolve-of-an-unknown-name"), state).changes) == ["create Breakout 30: highs go on"]


def test_a_kill_makes_room_for_a_create(state):
    full = replace(state, active={**state.active, "Third": code("Third", 50)})
    found = settled(text_of("as-asked"), full)
    assert found.problems == ()
    assert [change.event for change in found.changes] == ["evolve", "create", "kill"]


def test_a_strategy_that_rested_long_enough_has_to_be_touched(state):
    rows = [results_log.HEADER, "aaaaaa1\tcreate\tMeanRev\t0.1\t-5.0\tn", "aaaaaa1\tcreate\tTrend\t0.1\t-5.0\tn"]
    for number in range(2, 2 + state.settings.max_stable_rounds):
        rows += [f"aaaaaa{number}\tevolve\tMeanRev\t0.1\t-5.0\tn", f"aaaaaa{number}\tstable\tTrend\t0.1\t-5.0\t"]
    bound = replace(state, rows="\n".join(rows) + "\n")
    assert settled(text_of("prose-around"), bound).problems == (
        "Trend was stable for 3 rounds in a row: evolve, fork or kill it now.",
    )
    for touching in (
        "### kill Trend\n",
        f"### evolve Trend\n{fenced('Trend', 44)}",
        f"### fork Trend -> Slow\n{fenced('Slow', 44)}",
    ):
        assert settled(touching, bound).problems == ()
    assert settled(text_of("prose-around"), replace(bound, rows="\n".join(rows[:-2]) + "\n")).problems == ()


def test_a_parent_may_be_one_that_was_killed(state):
    gone = Tried(1, "create", "Gone", "", code("Gone"), None, False, "")
    found = settled(f"### fork Gone -> Back\n{fenced('Back')}", replace(state, history=(gone,)))
    assert [(change.event, change.parent) for change in found.changes] == [("fork", "Gone")]
    found = settled(f"### fork Gone -> Gone\n{fenced('Gone')}", replace(state, history=(gone,)))
    assert [(change.event, change.parent) for change in found.changes] == [("create", "")]


def test_blanks_at_line_ends_are_no_change(state):
    text = f"### evolve MeanRev\n{fenced('MeanRev', 30)}".replace("dataframe\n", "dataframe  \n")
    assert settled(text, state).problems[0].startswith("there is no change in it")


def test_names_that_a_disk_may_confuse_are_refused(state):
    text = f"### create Breakout\n{fenced('Breakout')}### create BreakOut\n{fenced('BreakOut')}"
    problems = settled(text, replace(state, active={})).problems
    assert problems == (
        "two names differ in capitals alone (Breakout, BreakOut). Use names that any disk tells apart.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "x" * 2_000_000,
        "```python\n" * 40_000,
        "~~~\n```\n" * 50_000,
        "<think>" * 100_000,
        "</think>\n" * 100_000,
        "### evolve MeanRev\n" * 20_000,
        "{" * 500_000,
        '{"a":' * 100_000,
        "### evolve MeanRev\n```python\nclass MeanRev(IStrategy):\n    x = " + "(" * 100_000,
        "### evolve MeanRev\n```python\nclass MeanRev(IStrategy):\n    x = " + "-" * 200_000 + "1\n```",
        "### fork " + "a -> " * 100_000,
        "\0\ufeff\ud800### create \ud800\n```\n\ud800\n```",
        "",
        "<think>nothing but thought",
    ],
    ids=lambda text: f"{text[:12]!r}…{len(text)}",
)
def test_an_answer_made_to_hurt_is_refused_in_no_time(text, state):
    started = time.process_time()
    assert settled(text, state).problems
    assert time.process_time() - started < 20  # what grows with the square takes minutes


def test_a_class_is_renamed_wherever_it_is_named_but_in_texts():
    source = (
        'class Old(IStrategy):\n    """Old ways."""\n\n    def f(self):\n        return super(Old, self).f(), '
        '"Old", Older  # Old\n'
    )
    assert renamed(source, "Old", "New") == (
        'class New(IStrategy):\n    """Old ways."""\n\n    def f(self):\n        return super(New, self).f(), "Old", '
        "Older  # Old\n"
    )
    assert renamed(source, "Old", "Older") is None
    assert renamed(source, "Old", "not a name") is None


def test_code_without_a_fence_ends_where_prose_begins_at_the_margin():
    assert trimmed(f"Here it is:\n\n{code('A')}\nI don't think more is needed.") == code("A")
    assert trimmed("From now on, only dips.\nNo code here.") == ""


def test_code_that_breaks_off_inside_a_method_is_no_whole_one():
    cut = code("A")[: code("A").index('"exit_long"')]
    assert trimmed(cut) == ""
