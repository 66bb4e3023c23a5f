"""
Runs side by side: what was counted, against logs and ledger; the table, the JSON, and the race at equal numbers of
trials.
"""

import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from arenas import command
from driven import change, drive, git, played, source, transcript
from test_driver import Scripted, create, evolve

import drive as commands
from analysis import race, style
from arena import settings
from arena.evaluation import context, figures
from arena.ledger import data_lock, results_log
from arena.ledger.store import LEDGER, Entry, Ledger
from arena.preparation import dataset
from arena.records import GateResult
from loop import driver, leaderboard, run_state
from loop.brief.reading import Brief
from loop.budget import Budget
from loop.protocol import Usage
from loop.worktree import Worktree

BROKEN = source("Gamma").replace("ta.EMA", "ta.NOPE")
ROUNDS = [
    [change("create", "Alpha", source("Alpha")), change("create", "Beta", source("Beta", 5, 50))],
    [change("evolve", "Alpha", source("Alpha", 12, 48))],
    [change("create", "Gamma", BROKEN)],
    [change("evolve", "Nobody", source("Nobody"))],
]
"""Two trials that are kept, one that is discarded, one that fails, and a round that is skipped."""


@pytest.fixture(scope="module")
def raced(prepared_repository, tmp_path_factory):
    """Three runs in one arena: a replay of ROUNDS, one that pays for its answers, and one whose only strategy fails."""
    folder = tmp_path_factory.mktemp("raced").resolve()
    repo = folder / "repo"
    shutil.copytree(prepared_repository, repo, symlinks=True)
    assert drive(repo, "--transcript", transcript(folder / "rounds", *ROUNDS), "--tag", "plays").returncode == 0
    agent = Scripted(
        create("Delta", 6, 30, usage=Usage(2, 300, 40, 0.5)), evolve("Delta", 6, 31, usage=Usage(1, 100, 10, 0.25))
    )
    agent.name = "llm:some-model:8b"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repo)
        place = Worktree(repo, "pays")
        with run_state.alone(place):
            driver.play(run_state.open_run(place, "llm", 7, lambda line: None), agent, Budget(), Brief(), reads=True)
    assert (
        drive(
            repo,
            "--transcript",
            transcript(folder / "bad", [change("create", "Bad", BROKEN.replace("Gamma", "Bad"))]),
            "--tag",
            "fails",
        ).returncode
        == 0
    )
    return repo


def board_of(repo, *names):
    (board,) = leaderboard.read(repo.resolve(), list(names))
    return board


def standing(repo, name):
    return next(one for one in board_of(repo).standings if one.run == name)


def trial(repo, strategy):
    return next(one for one in Ledger(repo / LEDGER).trials(data_lock.read(repo).contract) if one.strategy == strategy)


def shown(repo, *words):
    return command(commands.cli, repo, "drive.py", "leaderboard", *words)


@pytest.mark.slow
def test_rounds_trials_and_what_was_kept_are_counted(raced):
    one = standing(raced, "plays")
    assert (one.rounds, one.skipped, one.trials, one.kept, one.seed) == (3, 1, 4, 1, 0)
    assert one.seconds == pytest.approx(sum(each.seconds for each in played(raced, "plays")))
    assert (standing(raced, "fails").trials, standing(raced, "fails").kept) == (1, 0)


@pytest.mark.slow
def test_the_best_is_the_best_that_was_kept_with_its_own_interval(raced):
    one = standing(raced, "plays")
    kept = [json.loads(trial(raced, name).result) for name in ("Alpha", "Beta")]
    best = max(kept, key=lambda each: each["own"]["sharpe"])
    assert (one.strategy, one.sharpe, one.low, one.high) == (
        best["strategy"],
        best["own"]["sharpe"],
        best["sharpe_low"],
        best["sharpe_high"],
    )
    assert one.low < one.sharpe < one.high


@pytest.mark.slow
def test_luck_line_and_dsr_are_what_an_evaluation_would_say_today(raced, monkeypatch):
    monkeypatch.chdir(raced)
    arena = context.open_arena(settings.load(raced / "config.json"), record=True)
    board = board_of(raced)
    for one in board.standings[:-1]:
        recorded = next(
            each
            for each in Ledger(raced / LEDGER).trials(board.contract)
            if json.loads(each.result)["own"]["sharpe"] == one.sharpe
        )
        now = figures.as_of_now(context.RESULT.validate_json(recorded.result), arena)
        assert (now.evidence.trials, now.evidence.luck_line) == (board.trials, pytest.approx(one.luck_line))
        assert now.evidence.dsr == pytest.approx(one.dsr)


@pytest.mark.slow
def test_what_was_played_by_program_md_in_the_checkout_is_a_run_too(raced, tmp_path):
    repo = tmp_path / "repo"
    shutil.copytree(raced, repo, symlinks=True)
    git(repo, "checkout", "-q", "-b", "autoresearch/own")
    book, contract, known = Ledger(repo / LEDGER), data_lock.read(repo).contract, trial(repo, "Alpha")
    rows = [results_log.HEADER]
    for k, (sharpe, keep) in enumerate(((0.5, True), (2.5, False), (0.75, True))):
        git(repo, "commit", "-q", "--allow-empty", "-m", f"round {k}")
        head = git(repo, "rev-parse", "--short=7", "HEAD")
        raw = json.loads(known.result)
        raw["own"]["sharpe"], raw["sha256"] = sharpe, f"{k}" * 64
        book.append(
            Entry(
                "trial",
                contract,
                "Own",
                f"{k}" * 64,
                "x",
                head,
                "",
                json.dumps(raw),
                "REJECTED: dsr",
                known.returns.astype("<f8").tobytes(),
            )
        )
        rows.append(f"{head}\t{'evolve' if k else 'create'}\tOwn\t{sharpe:.4f}\t-20.0\tnote")
        if not keep:
            git(repo, "reset", "-q", "--hard", "HEAD~1")
    before = board_of(repo).standings
    assert "autoresearch/own" not in [one.run for one in before]
    (repo / results_log.FILE).write_text("\n".join(rows) + "\n")
    own = standing(repo, "autoresearch/own")
    assert (own.agent, own.seed, own.rounds, own.kept, own.trials, own.race) == (
        leaderboard.BY_HAND,
        None,
        3,
        2,
        3,
        (0.5, 0.5, 0.75),
    )
    assert [one.run for one in board_of(repo, "plays", "autoresearch/own").standings if one.run != "plays"] == [
        "autoresearch/own"
    ]
    assert {one.run for one in board_of(repo).standings} == {one.run for one in before} | {"autoresearch/own"}
    assert re.search(r"^autoresearch/own +program.md +- +3 +3 +2 ", shown(repo).stdout, re.M)


@pytest.mark.slow
def test_what_a_run_paid_is_summed_over_its_rounds_and_its_model_named(raced):
    one = standing(raced, "pays")
    assert (one.agent, one.model, one.seed, one.tokens, one.usd) == ("llm", "some-model:8b", 7, 450, 0.75)


@pytest.mark.slow
def test_the_best_run_comes_first_and_one_without_a_figure_last(raced):
    found = [one.sharpe for one in board_of(raced).standings]
    assert found[:2] == sorted(found[:2], reverse=True) and math.isnan(found[2])


@pytest.mark.slow
def test_the_race_counts_failed_and_discarded_trials_and_never_falls(raced):
    alpha, beta = (json.loads(trial(raced, name).result)["own"]["sharpe"] for name in ("Alpha", "Beta"))
    assert standing(raced, "plays").race == (alpha, max(alpha, beta), max(alpha, beta), max(alpha, beta))
    assert np.isnan(standing(raced, "fails").race).all()


@pytest.mark.slow
def test_accepted_is_what_passes_every_gate_with_the_dsr_of_today(raced):
    result = next(tried.result for tried in played(raced, "plays")[0].tried)
    gates = (
        GateResult("trades", True, 50, 30, ">="),
        GateResult("dsr", False, 0.2, 0.95, ">="),
        GateResult("validation", True, 0, 0, ""),
    )
    made = replace(result, gates=gates)
    assert (
        leaderboard.passes(made, 0.96) and not leaderboard.passes(made, 0.94) and not leaderboard.passes(made, math.nan)
    )
    assert not leaderboard.passes(replace(made, gates=(*gates[:2], replace(gates[2], passed=False))), 0.96)
    assert not leaderboard.passes(replace(made, error="raised"), 0.96) and not leaderboard.passes(
        replace(made, gates=()), 0.96
    )


@pytest.mark.slow
def test_a_best_that_fails_gates_says_which(raced):
    one = standing(raced, "plays")
    recorded = json.loads(trial(raced, one.strategy).result)["gates"]
    assert one.fails == tuple(
        gate["gate"]
        for gate in recorded
        if gate["applies"] and not gate["passed"] and gate["gate"] not in ("dsr", "validation")
    )
    assert one.fails and one.fails[0] in shown(raced).stdout


@pytest.mark.slow
def test_the_table_is_aligned_and_leaves_out_what_nobody_has(raced):
    out = shown(raced).stdout.splitlines()
    heads = out[0].split()
    assert heads[:4] == ["run", "agent", "model", "seed"] and {"tokens", "USD"} <= set(heads)
    end = out[0].index("trials") + len("trials")
    assert [line[:end].split()[-1] for line in out[1:4]] == [str(one.trials) for one in board_of(raced).standings]
    assert re.fullmatch(r"contract \w{8}: 7 trials of all runs, luck line \S+; dsr and accepted as of today", out[4])
    assert "1 to 4 trials a run" in out[5]
    alone = shown(raced, "plays").stdout.splitlines()
    assert not {"tokens", "USD"} & set(alone[0].split()) and len(alone) == 3


@pytest.mark.slow
def test_json_has_every_field_and_null_for_what_is_undefined(raced):
    told = {one["run"]: one for one in json.loads(shown(raced, "--json").stdout)}
    assert told.keys() == {"plays", "pays", "fails"}
    assert set(told["pays"]) == set(leaderboard.Standing.__slots__)
    assert (told["fails"]["sharpe"], told["fails"]["race"]) == (None, [None])


@pytest.mark.slow
def test_an_unknown_run_is_told_with_those_there_are(raced):
    assert shown(raced, "plas").stderr == "drive: there is no run 'plas'. There are: fails, pays, plays.\n"


@pytest.mark.slow
def test_runs_of_another_contract_are_compared_among_themselves(raced, tmp_path, monkeypatch):
    repo = tmp_path / "repo"
    shutil.copytree(raced, repo, symlinks=True)
    config = json.loads((repo / "config.json").read_text())
    config["arena"]["gates"]["min_trades"] = 31
    (repo / "config.json").write_text(json.dumps(config))
    monkeypatch.chdir(repo)
    dataset.relock(settings.load(repo / "config.json"), data_lock.read(repo), ["gates"])
    assert (
        "no run was played under the contract of now. Name runs of earlier ones: fails, pays, plays."
        in shown(repo).stderr
    )
    done = drive(repo, "--transcript", transcript(tmp_path / "again", ROUNDS[0]), "--tag", "later")
    assert done.returncode == 0, done.stderr
    assert [one.run for one in board_of(repo).standings] == ["later"]
    both = leaderboard.read(repo, ["plays", "later"])
    assert [(len(board.standings), board.trials) for board in both] == [(1, 7), (1, 2)]
    assert shown(repo, "plays", "later").stdout.count("contract ") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["race.png", "race.svg"])
def test_the_picture_is_written(raced, tmp_path, name):
    done = shown(raced, "--picture", str(tmp_path / name))
    assert done.returncode == 0, done.stderr
    assert f"{name}: 3 runs at 1 trials each" in done.stdout and (tmp_path / name).stat().st_size > 5_000


@pytest.mark.slow
def test_a_picture_of_no_known_kind_is_refused(raced, tmp_path):
    done = shown(raced, "--picture", str(tmp_path / "race.xyz"))
    assert done.returncode == 2 and "race.xyz" in done.stderr and "Traceback" not in done.stderr


RACERS = [
    race.Racer("genetic", "g1", (math.nan, 0.2, 0.4, 0.9)),
    race.Racer("genetic", "g2", (0.1, 0.1, 0.8)),
    race.Racer("genetic", "g3", (math.nan, math.nan, 0.3)),
    race.Racer("random", "r1", (0.0, 0.0, 0.5, 0.5, 0.6)),
]


def steps(figure, width):
    return [line for line in figure.axes[0].lines if line.get_linewidth() == width]


def test_every_run_is_drawn_to_the_smallest_number_of_trials():
    figure = race.draw(RACERS, 0.6, 15)
    assert [list(line.get_xdata()) for line in steps(figure, 0.9)] == [[1, 2, 3]] * 4
    assert (
        figure.axes[0].get_title()
        == "best kept so far of 4 runs at 3 trials each, cut where the shortest ended (the longest has 5)"
    )


def test_a_run_that_kept_nothing_yet_is_below_all_others_in_the_median():
    assert race.median(RACERS[:3], 3) == pytest.approx([math.nan, 0.1, 0.4], nan_ok=True)
    assert np.isnan(race.median([RACERS[0], RACERS[2]], 2)).all()


def test_agents_are_told_apart_by_colour_and_by_dashes_and_none_looks_like_the_luck_line():
    thick = steps(race.draw(RACERS, 0.6, 15), 3)
    assert (
        len({line.get_color() for line in thick})
        == len({line.get_linestyle() if isinstance(line.get_linestyle(), str) else 0 for line in thick})
        == 2
    )
    assert style.LUCK not in race.TINTS


def test_the_luck_line_is_in_sight_also_above_all_runs():
    low = [race.Racer("random", "r", (-9.0, -0.5))]
    axis = race.draw(low, 4.5, 15).axes[0]
    assert axis.get_ylim()[0] > -3 and axis.get_ylim()[1] > 4.5
    assert "luck line of all 15 trials" in axis.get_legend_handles_labels()[1]
    assert len(race.draw(low, math.nan, 15).axes[0].get_legend_handles_labels()[1]) == 1


def test_without_a_trial_the_picture_says_so():
    assert "No run has a trial yet" in race.draw([], math.nan, 0).axes[0].texts[0].get_text()
