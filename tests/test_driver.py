"""
What an agent is shown, what ends a run, and what one that misbehaves does to it: agents of the tests' own in a real
run.
"""

import math
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from arenas import command, sampled
from driven import change, check, rows, source, transcript, untouched, worktree

import drive as commands
from arena.errors import ArenaError
from loop import driver, run_state
from loop.agents.replay import Replay
from loop.brief.reading import Brief, Risk
from loop.budget import Budget
from loop.protocol import AgentError, Change, Proposal, Usage
from loop.worktree import Worktree


class Scripted:
    """Answers with what its functions give for each state, in turn, and remembers states and resumes."""

    name = "scripted"

    def __init__(self, *answers):
        self.answers, self.states, self.resumed = list(answers), [], []

    def propose(self, state):
        self.states.append(state)
        answer = self.answers.pop(0) if self.answers else Proposal(end="no more")
        if isinstance(answer, Exception):
            raise answer
        return answer(state) if callable(answer) else answer

    def resume(self, history, rng):
        self.resumed.append((history, rng.integers(10**9)))


def create(name, fast=8, slow=24, **more):
    return Proposal((Change("create", name, source(name, fast, slow), note="idea"),), **more)


def evolve(name, fast, slow, **more):
    return Proposal((Change("evolve", name, source(name, fast, slow), note="idea"),), **more)


@pytest.fixture
def start(repo, monkeypatch):
    """Plays an agent in the repository and returns why it ended."""
    monkeypatch.chdir(repo)
    lines = []

    def started(agent, limits=Budget(), *, reads=True, brief=Brief(), population=0):
        place = Worktree(repo.resolve(), "t")
        with run_state.alone(place):
            opened = run_state.open_run(place, agent.name, 7, lines.append)
            return driver.play(opened, agent, limits, brief, reads=reads, population=population)

    started.lines, started.repo = lines, repo
    return started


@pytest.mark.slow
def test_an_agent_is_shown_what_was_tried_with_its_figures(start):
    agent = Scripted(create("Alpha"), evolve("Alpha", 9, 26, learnings="# what I know\n"))
    (start.repo / "nudges.md").write_text("quiet days, long averages, small stakes\n")
    (start.repo / "learnings.md").write_text("from an earlier run\n")
    assert start(agent, brief=Brief(text="few trades")) == "the agent has no more: no more"
    first, second, third = agent.states
    assert (first.round, first.active, first.history, first.blocks, first.plateau, first.problems) == (
        1,
        {},
        (),
        "",
        False,
        (),
    )
    assert (first.learnings, first.brief) == ("from an earlier run\n", "few trades")
    assert first.demands == ("touch at least one strategy",)
    assert first.nudges == ("quiet days, long averages, small stakes",) and second.nudges == ()
    assert second.active == {"Alpha": source("Alpha")}
    (tried,) = second.history
    assert (tried.event, tried.strategy, tried.kept, tried.result.daily_returns) == ("create", "Alpha", True, ())
    assert f"{tried.result.own.sharpe:.4f}" == second.rows.splitlines()[1].split("\t")[3]
    assert "strategy:             Alpha" in second.blocks and "round:" in second.blocks
    assert second.learnings.startswith(
        "from an earlier run\n- round 1, kept: create Alpha: idea; nudge: quiet days, long averages,"
    )
    assert third.learnings == "# what I know\n"
    assert rows(start.repo)[0].note.startswith("idea; nudge: quiet days, long averages, ->")
    check(start.repo)


@pytest.mark.slow
def test_a_second_start_is_given_the_history_and_the_same_dice(start):
    first = Scripted(create("Alpha"))
    start(first, Budget(rounds=1))
    second = Scripted(evolve("Alpha", 9, 26))
    start(second, Budget(rounds=1))
    assert (
        first.resumed[0][0] == ()
        and second.states[0].history == second.resumed[0][0]
        and len(second.resumed[0][0]) == 1
    )
    assert first.resumed[0][1] == second.resumed[0][1] == np.random.default_rng(7).integers(10**9)


@pytest.mark.slow
def test_a_refused_answer_is_asked_again_and_three_make_a_skipped_round(start):
    bad = evolve("Nobody", 9, 26, usage=Usage(1, 10, 10, 0.5))
    agent = Scripted(create("Alpha"), bad, evolve("Alpha", 9, 26), bad, bad, bad, evolve("Alpha", 7, 20))
    start(agent, Budget(rounds=4))
    log = check(start.repo)
    assert [one.step for one in log] == ["settled", "settled", "skipped", "settled"]
    assert agent.states[2].problems[0].startswith("evolve of Nobody, which is not active")
    assert agent.states[2].round == agent.states[1].round == 2
    assert (log[1].usage, log[1].refused[0][0]) == (Usage(1, 10, 10, 0.5), agent.states[2].problems[0])
    assert log[2].usage == Usage(3, 30, 30, 1.5) and "3 answers were refused" in log[2].why


@pytest.mark.parametrize("answer", sampled(["../../config", "run.py", "Alpha.py", "a b", ""], {"../../config"}))
def test_a_name_never_leads_out_of_the_folder(start, answer):
    before = untouched(start.repo)
    change = Proposal((Change("create", answer, "x = 1\n"),))
    start(Scripted(change, change, change), Budget(rounds=1))
    assert untouched(start.repo) == before
    assert (
        not list(worktree(start.repo).glob("user_data/strategies/*.py"))
        and not (worktree(start.repo) / "run.py.py").exists()
    )


def test_an_agent_that_never_answers_ends_the_run_with_its_reason(start):
    with pytest.raises(ArenaError, match="no usable answer 3 times in a row, the last time: deaf"):
        start(Scripted(*[AgentError("deaf")] * 9))
    with pytest.raises(ArenaError, match="the agent cannot go on: the key is refused"):
        start(Scripted(AgentError("the key is refused", final=True)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "usage", "why"),
    [
        (Budget(max_usd=0.5), Usage(1, 10, 10, 0.5), "0.50 USD of 0.50 are spent"),
        (
            Budget(max_usd=0.5),
            Usage(1, 10, 10, math.nan),
            "the agent's price is unknown, so --max-usd cannot be kept. Use --max-tokens or --rounds",
        ),
        (Budget(max_tokens=20), Usage(1, 10, 10, 0.5), "20 tokens of 20 are spent"),
        (Budget(rounds=1), Usage(), "1 rounds were played"),
    ],
)
def test_what_is_spent_ends_the_run_also_at_the_next_start(start, limits, usage, why):
    assert start(Scripted(create("Alpha", usage=usage), evolve("Alpha", 9, 26)), limits) == why
    assert len(check(start.repo)) == 1
    if limits.rounds is None:  # money and tokens are those of the whole run
        assert start(Scripted(evolve("Alpha", 9, 26)), limits) == why
        assert len(check(start.repo)) == 1


@pytest.mark.slow
def test_rounds_without_a_new_best_end_the_run(start):
    good, worse = create("Alpha", 20, 100), [evolve("Alpha", 8 + k, 24) for k in range(5)]
    assert start(Scripted(good, *worse), Budget(patience=2)) == "2 rounds without a new best"
    assert [one.kept for one in check(start.repo)] == [True, False, False]


@pytest.mark.slow
def test_a_strategy_that_must_be_touched_is_demanded(start):
    agent = Scripted(
        create("Alpha"),
        create("Beta", 5, 50),
        *[evolve("Beta", 5 + k, 50) for k in range(1, 3)],
        *[evolve("Beta", 9, 50)] * 3,
    )
    start(agent, Budget(rounds=5))
    assert any(
        "Alpha: 3 stable rounds in a row, so evolve, fork or kill it now" in line for line in agent.states[4].demands
    )
    assert [one.step for one in check(start.repo)] == ["settled"] * 4 + ["skipped"]


@pytest.mark.slow
def test_a_worse_newcomer_does_not_take_a_better_ones_place(start):
    """Alone it is discarded; beside a gain the commit is kept, and the next round puts back whom it had replaced."""
    good, worse = ("Alpha", 20, 100), source("Omega", 8, 24)
    swap = (Change("kill", "Alpha", note="try another"), Change("create", "Omega", worse))
    gain = Change("create", "Beta", source("Beta", 5, 50))
    agent = Scripted(create(*good), Proposal(swap), Proposal((*swap, gain)), evolve("Omega", 9, 26))
    start(agent, Budget(rounds=4))
    log = check(start.repo)
    assert [one.kept for one in log[:3]] == [True, False, True]
    assert "in the place of Alpha: " in log[1].why
    assert log[2].restore == {"Beta": None, "Alpha": source(*good)}  # the better newcomer is the one that is asked
    assert list(agent.states[3].active) == ["Alpha", "Omega"]
    events = [(row.event, row.strategy) for row in rows(start.repo)]
    assert events == [
        ("create", "Alpha"),
        ("create", "Omega"), ("kill", "Alpha"),
        ("create", "Beta"), ("evolve", "Omega"),
        ("create", "Alpha"), ("evolve", "Omega"), ("kill", "Beta"),
    ]  # fmt: skip


@pytest.mark.slow
def test_an_answer_that_came_after_ctrl_c_is_kept_for_the_next_start(start):
    def interrupted(state):
        os.kill(os.getpid(), signal.SIGINT)
        return create("Alpha", usage=Usage(1, 10, 10, 0.5))

    assert start(Scripted(interrupted)) == driver.INTERRUPTED
    assert not rows(start.repo)
    agent = Scripted()
    start(agent)
    (one,) = check(start.repo)
    assert one.kept and one.usage == Usage(1, 10, 10, 0.5)
    assert agent.states[0].round == 2


def test_a_transcript_is_played_back_as_it_was_and_a_broken_one_is_told(tmp_path):
    folder = transcript(
        tmp_path / "rounds",
        [change("create", "Alpha", "x", note="idea")],
        [],
        learnings="known",
        usage={"requests": 3, "usd": 0.5},
    )
    agent = Replay(folder)
    at = SimpleNamespace(round=1, problems=())
    played = agent.propose(at)
    assert (played.changes, played.learnings) == ((Change("create", "Alpha", "x", note="idea"),), "known")
    assert played.usage == Usage() and played.record["recorded"] == {"response": "round 1"}  # paid once is paid
    with pytest.raises(AgentError, match="0002.json of the transcript holds a round that was skipped"):
        agent.propose(SimpleNamespace(round=2, problems=()))
    (folder / "0002.json").write_text("{")
    with pytest.raises(AgentError, match="0002.json of the transcript cannot be read"):
        agent.propose(SimpleNamespace(round=2, problems=()))
    assert agent.propose(SimpleNamespace(round=3, problems=())).end
    with pytest.raises(ArenaError, match="is no transcript of a run"):
        Replay(tmp_path)


def test_an_agent_that_this_version_lacks_or_an_option_that_is_missing_is_said(repo):
    for words, told in (
        (["--agent", "llm"], "the agent llm needs --model"),
        (["--agent", "replay"], "needs --transcript"),
        (["--agent", "command"], "needs --command"),
    ):
        done = command(commands.cli, repo, "drive.py", *words)
        assert (done.returncode, told in done.stderr) == (2, True)
    assert not (repo / "user_data/runs").exists()


@pytest.mark.slow
def test_an_agent_that_reads_is_shown_the_best_so_far_though_it_is_gone(start):
    both = Proposal((*create("Alpha", 20, 100).changes, *create("Beta", 5, 50).changes))
    agent = Scripted(both, Proposal((Change("kill", "Alpha"),)), evolve("Beta", 6, 60))
    start(agent, Budget(rounds=3), population=2)
    first, second, third = agent.states
    assert first.population == () and {tried.strategy for tried in second.population} == {"Alpha", "Beta"}
    assert {tried.strategy for tried in third.population} == {"Alpha", "Beta"} and third.active.keys() == {"Beta"}
    assert sorted(check(start.repo)[1].state["population"]) == ["Alpha of round 1", "Beta of round 1"]
    blind = Scripted(evolve("Beta", 7, 70))
    start(blind, Budget(rounds=1), reads=False, population=2)
    assert blind.states[0].population == ()


@pytest.mark.slow
def test_an_agent_that_fails_when_it_is_asked_again_for_the_briefs_sake_is_played_as_it_was(start):
    agent = Scripted(create("Alpha", usage=Usage(1, 10, 10, 0.5)), AgentError("deaf", usage=Usage(1, 5, 0, 0.1)))
    start(agent, Budget(rounds=1), brief=Brief(risk=Risk(trailing=True)))
    (one,) = check(start.repo)
    assert one.kept and one.usage == Usage(2, 15, 10, 0.6)
    assert one.departures == ("Alpha: it has no stop that follows the price: trailing_stop or custom_stoploss",)
    assert agent.states[1].problems == one.departures
