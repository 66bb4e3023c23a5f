"""
Several runs side by side, as a user starts them: killed, interrupted, gone on with; one ledger for all; each begins
otherwise.
"""

import argparse
import os
import re
import shutil
import signal
from itertools import pairwise

import psutil
import pytest
from arenas import command
from driven import change, check, drive, git, played, source, start, transcript, untouched, worktree
from waiting import PATIENCE_S, until, until_said

import drive as commands
from arena import settings
from arena.ledger import data_lock
from arena.ledger.store import LEDGER, Ledger
from arena.settings import Compute
from loop import sweep
from loop.agents.genome.grammar import Grammar
from loop.agents.genome.writing import genome_of
from loop.run_log import ENDS, Log

SEEDS = ("--seeds", "1..2")


def processes(repo, run):
    """The drive.py processes that play a run of this repository; their workers are not among them."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if process.info["cwd"] == str(repo) and f"--tag={run}" in (process.info["cmdline"] or ()):
            found.append(process)
    return found


def at(repo, run, number):
    """Whether round `number` of a run is under way."""
    log = Log(repo, run)
    return (log.folder / f"{number:04d}.json").exists() and log.rounds()[-1].step not in ENDS


@pytest.fixture(scope="module")
def swept(prepared_repository, tmp_path_factory):
    """
    Two seeds, two rounds each; the second run is killed in its second round, and the same command started once more.
    """
    repo = tmp_path_factory.mktemp("swept").resolve() / "repo"
    shutil.copytree(prepared_repository, repo, symlinks=True)
    before = untouched(repo)
    words = (*SEEDS, "--rounds", "2", "--jobs", "2", "--jitter")
    process = start(repo, *words, agent="genetic")
    until(lambda: at(repo, "t-s2", 2))
    processes(repo, "t-s2")[0].kill()
    first = (*process.communicate(timeout=PATIENCE_S), process.returncode)
    rounds = {run: [one.step for one in played(repo, run)] for run in ("t-s1", "t-s2")}
    second = start(repo, *words, agent="genetic")
    second = (*second.communicate(timeout=PATIENCE_S), second.returncode)
    assert untouched(repo) == before
    return repo, first, rounds, second


@pytest.mark.slow
def test_a_run_that_is_killed_stops_no_other_and_is_told(swept):
    _, (out, err, code), rounds, _ = swept
    assert code == 2 and rounds["t-s1"] == ["settled"] * 2 and rounds["t-s2"][0] == "settled" != rounds["t-s2"][1]
    assert "s2  killed by SIGKILL" in out.splitlines()
    assert (
        "drive: t-s2 did not end well. The same command goes on with what is left." in err
        and "Traceback" not in out + err
    )


@pytest.mark.slow
def test_a_second_start_goes_on_with_what_is_left_and_with_nothing_else(swept):
    repo, _, _, (out, err, code) = swept
    assert code == 0, out + err
    assert "s1  has its 2 rounds" in out.splitlines()
    assert [len(check(repo, run)) for run in ("t-s1", "t-s2")] == [2, 2]
    assert not [line for line in out.splitlines() if line.startswith("s1  round")]


@pytest.mark.slow
def test_progress_is_told_with_the_seed_before_each_line(swept):
    _, (out, _, _), _, _ = swept
    lines = out.splitlines()
    assert lines[0] == "2 runs of genetic, 2 at a time, 2 rounds each"
    told = lines[1 : next(k for k, line in enumerate(lines) if line.startswith("run "))]  # then comes the table
    assert {line[:4] for line in told} == {"s1  ", "s2  "}
    assert len([line for line in told if re.match(r"s1  round \d/2 (kept|discarded): ", line)]) == 2
    assert not [line for line in told if "look at:" in line]


@pytest.mark.slow
def test_one_ledger_counts_the_trials_of_all_runs(swept):
    repo, *_ = swept
    own = [
        {tried.result.sha256 for one in played(repo, run) for tried in one.tried if tried.result}
        for run in ("t-s1", "t-s2")
    ]
    ledger = Ledger(repo / LEDGER)
    assert ledger.check() == []
    assert min(map(len, own)) > 3 and ledger.n_trials(data_lock.read(repo).contract) == len(own[0] | own[1])


@pytest.mark.slow
def test_a_killed_run_ends_where_one_that_was_left_alone_ends(swept, tmp_path):
    """The same seed by itself, whose trials the ledger knows by now: the same proposals, the same figures."""
    repo = tmp_path / "repo"
    shutil.copytree(swept[0], repo, symlinks=True)
    done = drive(
        repo,
        "--seed",
        2,
        "--first",
        Grammar(settings.load(repo / "config.json")).families[1],
        "--rounds",
        2,
        agent="genetic",
    )
    assert done.returncode == 0, done.stderr
    assert [[told(tried) for tried in one.tried] for one in played(repo)] == [
        [told(tried) for tried in one.tried] for one in played(repo, "t-s2")
    ]


def told(tried):
    return tried.event, tried.strategy, tried.source, tried.kept, f"{tried.result.own.sharpe}" if tried.result else ""


@pytest.mark.slow
def test_each_run_begins_with_another_family(swept):
    repo, *_ = swept
    families = Grammar(settings.load(repo / "config.json")).families
    assert [genome_of(played(repo, run)[0].proposal.changes[0].source).family for run in ("t-s1", "t-s2")] == list(
        families[:2]
    )


@pytest.mark.slow
def test_each_run_has_a_branch_a_folder_and_a_journal_of_its_own(swept):
    repo, *_ = swept
    for run in ("t-s1", "t-s2"):
        assert git(worktree(repo, run), "symbolic-ref", "--short", "HEAD") == f"autoresearch/{run}"
        assert (worktree(repo, run) / "frontier.png").stat().st_size > 10_000
        assert Log(repo, run).facts().seed == int(run[-1])
    assert (worktree(repo, "t-s1") / "results.tsv").read_text() != (worktree(repo, "t-s2") / "results.tsv").read_text()


@pytest.mark.slow
def test_another_agent_under_the_same_tag_is_refused_before_anything_is_begun(swept):
    done = drive(swept[0], *SEEDS, agent="random")
    assert done.returncode == 2
    assert (
        done.stderr
        == "drive: the run t-s1 is of the agent genetic with seed 1, not of random with 1. Choose another --tag.\n"
    )


def test_what_every_run_would_say_is_said_once(repo):
    done = drive(repo, *SEEDS, agent="llm")
    assert (done.returncode, done.stderr.count("needs --model")) == (2, 1)
    assert not (repo / "user_data/runs").exists()


def test_a_family_that_is_none_ends_the_run_and_names_those_there_are(repo):
    done = drive(repo, "--first", "tremd", agent="random")
    assert done.returncode == 2
    assert "there is no family 'tremd' to begin with. There are: trend, breakout" in done.stderr


@pytest.mark.slow
def test_ctrl_c_ends_all_runs_after_their_step_and_begins_no_other(repo):
    repo = repo.resolve()
    words = ("--seeds", "1..3", "--jobs", "2", "--rounds", "30")
    process = start(repo, *words, agent="random")
    until(lambda: at(repo, "t-s1", 1) or at(repo, "t-s2", 1))
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130 and "ends after this step" in err and "Traceback" not in out + err
    assert not processes(repo, "t-s1") + processes(repo, "t-s2")
    assert not (repo / "user_data/runs/t-s3").exists()
    for run in ("t-s1", "t-s2"):
        # the other one may not have begun to play
        assert f"s{run[-1]}  ended: interrupted" in out.splitlines() or not played(repo, run)
        assert [one.step for one in played(repo, run)][:-1] == ["settled"] * (len(played(repo, run)) - 1)


@pytest.mark.nightly
def test_when_the_sweep_itself_is_killed_its_runs_end_after_their_step_and_the_next_start_waits_for_them(
    repo, tmp_path
):
    repo = repo.resolve()
    rounds = transcript(
        tmp_path / "rounds",
        *([change("create" if k == 0 else "evolve", "Alpha", source("Alpha", 3 + k, 40))] for k in range(9)),
    )
    words = (*SEEDS, "--transcript", rounds, "--rounds", "9")
    process = start(repo, *words)
    until(lambda: at(repo, "t-s1", 1))
    mine = processes(repo, "t-s1") + processes(repo, "t-s2")
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    done = drive(repo, *SEEDS, "--transcript", rounds, "--rounds", 1)
    assert not psutil.wait_procs(mine, timeout=PATIENCE_S)[1]
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(1 <= len(check(repo, run)) < 9 for run in ("t-s1", "t-s2"))


@pytest.mark.slow
def test_two_ctrl_c_end_all_runs_at_once(repo):
    repo = repo.resolve()
    process = start(repo, *SEEDS, "--rounds", "30", agent="random")
    until(lambda: at(repo, "t-s1", 1))
    mine = processes(repo, "t-s1") + processes(repo, "t-s2")
    os.killpg(process.pid, signal.SIGINT)
    before = until_said(process, "ends after this step")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130 and "drive: interrupted." in err and "Traceback" not in out + before + err
    assert mine and not psutil.wait_procs(mine, timeout=PATIENCE_S)[1]


@pytest.mark.parametrize("text", ["3..1", "a..b", "1..", "-1..2"])
def test_seeds_that_are_none_are_refused(repo, text, capsys):
    with pytest.raises(SystemExit):
        command(commands.cli, repo, "drive.py", f"--seeds={text}")


def test_one_seed_alone_is_a_sweep_too():
    assert (list(commands._seeds("4")), list(commands._seeds("2..4"))) == ([4], [2, 3, 4])


def options(agent, brief=""):
    return argparse.Namespace(agent=agent, brief=brief, max_usd=None, max_tokens=None)


def test_seeds_in_a_row_begin_with_one_family_after_the_other():
    families = ("trend", "breakout", "calendar")
    first = [sweep.jitter(options("random"), seed, families)["first"] for seed in range(1, 8)]
    assert first == ["trend", "breakout", "calendar", "trend", "breakout", "calendar", "trend"]


@pytest.mark.parametrize("n", [2, 5, 16])
def test_temperatures_of_any_seeds_in_a_row_are_spread_over_the_range(n):
    low, high = sweep.TEMPERATURES
    for first in (1, 7, 1000):
        found = sorted(sweep.jitter(options("llm"), seed, ())["temperature"] for seed in range(first, first + n))
        gaps = [b - a for a, b in pairwise([low, *found, high])]
        assert low <= found[0] and found[-1] <= high
        assert max(gaps) < 2.7 * (high - low) / (n + 1)


def test_a_brief_is_told_in_another_order_and_nothing_of_it_is_lost():
    brief = "few trades; no leverage\nlong averages; quiet days"
    told = {sweep.jitter(options("llm", brief), seed, ())["brief"] for seed in range(1, 9)}
    assert len(told) > 3
    assert {tuple(sorted(one.splitlines())) for one in told} == {
        ("few trades", "long averages", "no leverage", "quiet days")
    }
    assert "brief" not in sweep.jitter(options("llm", "one line"), 1, ()) | sweep.jitter(
        options("genetic", brief), 1, ("trend",)
    )


def test_every_start_of_a_seed_begins_the_same():
    assert sweep.jitter(options("llm", "a\nb\nc"), 5, ()) == sweep.jitter(options("llm", "a\nb\nc"), 5, ())


def test_options_reach_every_run_and_its_own_come_last(repo):
    given = argparse.Namespace(
        agent="llm", seeds=range(3, 4), jobs=1, jitter=True, tag="t", seed=0, rounds=4, tether=False, command_name=None,
        model="m", brief="a\nb", temperature=0.8, minutes=None, max_usd=2.5,
    )  # fmt: skip
    run = sweep.Planned(3, "t-s3", Log(repo, "t-s3"), {"temperature": 1.1})
    words = sweep._words(run, given)
    assert words[1:3] == [str(sweep.DRIVE), "--tether"]
    assert set(words[3:]) == {
        "--agent=llm",
        "--model=m",
        "--brief=a\nb",
        "--temperature=1.1",
        "--max-usd=2.5",
        "--tag=t-s3",
        "--seed=3",
        "--rounds=4",
    }


def test_what_many_runs_may_cost_and_where_they_are_evaluated_is_said_first(repo):
    arena = settings.load(repo / "config.json")
    given = options("llm")
    assert sweep._beside(arena, given, 4) == ""
    given.max_usd = 5.0
    there = arena.model_copy(update={"compute": Compute(backend="dask", address="tcp://10.0.0.5:8786")})
    assert (
        sweep._beside(there, given, 4)
        == "; up to 4 × 5.00 USD; evaluations on dask's workers at tcp://10.0.0.5:8786, runs and ledger here"
    )
