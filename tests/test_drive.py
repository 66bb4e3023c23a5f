"""
drive.py as a user starts it: rounds by program.md's rules, resumed, interrupted, killed at every step, on full disks,
in strange repositories.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from arenas import command, configured, strategy
from driven import change, check, drive, git, played, rows, source, start, transcript, untouched, worktree
from test_run import small_disk
from waiting import PATIENCE_S, until, until_said

import drive as commands
from arena import settings
from arena.ledger import data_lock, results_log
from arena.ledger.store import LEDGER, Ledger
from loop.run_log import STEPS, Log
from loop.run_state import alone, default_tag, write_rows
from loop.worktree import Worktree

BROKEN = source("{name}").replace("ta.EMA", "ta.NOPE")


def broken(name):
    return BROKEN.replace("{name}", name)


ROUNDS = [
    [change("create", "Alpha", source("Alpha")), change("create", "Beta", source("Beta", 5, 50))],
    [change("evolve", "Alpha", source("Alpha", 12, 48))],
    [change("create", "Gamma", broken("Gamma"))],
    [change("evolve", "Beta", source("Beta", 4, 60)), change("evolve", "Alpha", broken("Alpha"))],
    [change("fork", "Delta", source("Delta", 20, 100), parent="Alpha")],
    [change("kill", "Beta"), change("create", "Epsilon", broken("Epsilon"))],
    [change("evolve", "Delta", source("Delta", 30, 120))],
    [change("kill", "Beta", note="nothing left to learn")],
    [change("create", "Zeta", source("Zeta", 6, 30)), change("evolve", "Alpha", source("Alpha", 9, 26))],
    [change("evolve", "Zeta", source("Zeta", 6, 30, "use_exit_signal = True"))],
]
"""Kept and discarded changes, failures, a change that is put back, a fork, a discarded kill, a kill."""


@pytest.fixture(scope="module")
def through(prepared_repository, tmp_path_factory):
    """All of ROUNDS without an interruption: the repository, and what the command said."""
    folder = tmp_path_factory.mktemp("through").resolve()
    shutil.copytree(prepared_repository, folder / "repo", symlinks=True)
    (folder / "repo" / "nudges.md").write_text("# ideas\n\n- try longer averages on quiet days\n")
    before = untouched(folder / "repo")
    done = drive(folder / "repo", "--transcript", transcript(folder / "rounds", *ROUNDS), "--rounds", 20)
    assert done.returncode == 0, done.stderr
    assert untouched(folder / "repo") == before
    return folder / "repo", done


def told(repo):
    """What results.tsv and the log say, but for commits and times."""
    figures = [(row.event, row.strategy, row.parent, f"{row.sharpe}", row.note) for row in rows(repo)]
    return figures, [(one.number, one.kept, one.why, one.files, one.restore, one.trials) for one in played(repo)]


@pytest.mark.slow
def test_every_round_is_kept_or_taken_back_by_the_rules(through):
    repo, _ = through
    log = check(repo)
    assert [one.kept for one in log] == [True, False, False, True, True, False, log[6].kept, True, True, False]
    events = [[(tried.event, tried.strategy) for tried in one.tried if tried.event != "stable"] for one in log]
    assert events[:6] == [
        [("create", "Alpha"), ("create", "Beta")],
        [("evolve", "Alpha")],
        [("create", "Gamma")],
        [("evolve", "Alpha"), ("evolve", "Beta"), ("kill", "Gamma")],
        [("evolve", "Alpha"), ("fork", "Delta")],
        [("create", "Epsilon"), ("kill", "Beta")],
    ]
    assert ("create", "Beta") in events[6] and ("kill", "Epsilon") in events[6]
    assert events[7] == [("kill", "Beta")]


@pytest.mark.slow
def test_what_got_worse_in_a_kept_commit_is_put_back_in_the_next_round(through):
    repo, _ = through
    log = played(repo)
    assert log[3].restore == {"Alpha": source("Alpha")}
    assert (log[4].files["Alpha"], log[4].restore) == (source("Alpha"), {})
    assert "put back" in next(tried.note for tried in log[4].tried if tried.strategy == "Alpha")


@pytest.mark.slow
def test_rows_tell_hypothesis_figures_and_decision(through):
    repo, _ = through
    notes = {(row.event, row.strategy): row.note for row in rows(repo)[:7]}
    assert re.fullmatch(
        r"hypothesis -> robust up -> robust -?[\d.]+, sharpe -?[\d.]+, trades \d+ -> kept", notes["create", "Alpha"]
    )
    assert re.search(
        r" -> robust \S+->\S+, sharpe \S+->\S+, trades \d+->\d+ -> discarded: .*says FAIL$", notes["evolve", "Alpha"]
    )
    assert notes["create", "Gamma"].startswith("FAIL: AttributeError")


@pytest.mark.slow
def test_progress_and_summary_say_where_it_stands(through):
    repo, done = through
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("round 1: ")][:2] == [
        "round 1: Alpha backtest",
        "round 1: Beta backtest",
    ]
    progress = [line for line in lines if re.match(r"round \d+(/\d+)? (kept|discarded|skipped)", line)]
    assert len(progress) == 10
    assert re.match(
        r"round 1/20 kept: create Alpha sharpe \S+ robust \S+, create Beta .* \| 2/3 slots, best \w+ \S+, luck line "
        r"\S+, 2 trials, ",
        progress[0],
    )
    assert "ended: the agent has no more: the transcript has no further round" in lines
    assert (worktree(repo) / "frontier.png").stat().st_size > 10_000
    places = [line.split("  ")[1] for line in lines[lines.index("look at:") + 1 :]]
    assert all((repo / place).exists() for place in places if place.startswith("user_data/"))


@pytest.mark.slow
def test_learnings_hold_a_line_a_round_with_the_actual_results(through):
    repo, _ = through
    lines = (worktree(repo) / "learnings.md").read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"- round {one.number}, {'kept' if one.kept else 'discarded'}" for one in played(repo)
    ]


@pytest.mark.slow
def test_an_agent_that_does_not_read_takes_up_no_nudge(through):
    repo, _ = through
    assert not [row for row in rows(repo) if "nudge" in row.note]
    assert played(repo)[0].state["nudges"] == ["try longer averages on quiet days"]


@pytest.mark.slow
def test_a_round_can_be_judged_again_from_its_log_alone(through):
    """The log holds what decided: state, proposal, files, blocks, figures, versions, seed."""
    repo, _ = through
    one = played(repo)[3]
    assert (one.seed, one.contract) == (0, data_lock.read(repo).contract)
    assert one.versions["freqtrade"] and one.proposal.record["recorded"] == {"response": "round 4"}
    assert one.blocks.count("\n---\n") + 1 == 3 and "status:               FAIL" in one.blocks
    assert git(repo, "show", f"{one.commit}:user_data/strategies/Beta.py") + "\n" == one.files["Beta"].rstrip() + "\n"


@pytest.mark.slow
def test_show_and_diff_read_the_log(through):
    repo, _ = through
    listed = command_of(repo, "show", "t")
    assert len(listed.stdout.splitlines()) == 10
    assert "create Alpha, create Beta" in listed.stdout.splitlines()[0]
    full = command_of(repo, "show", "t", "2").stdout
    assert (
        '-        dataframe["fast"] = ta.EMA(dataframe, timeperiod=8)' in full and "strategy:             Alpha" in full
    )
    assert (
        '+        dataframe["fast"] = ta.EMA(dataframe, timeperiod=4)' in command_of(repo, "diff", "t", "1", "4").stdout
    )
    assert command_of(repo, "show", "t", "11").stderr == "drive: the run t has no round 11. It has 1 to 10.\n"
    assert "There are: t." in command_of(repo, "show", "u").stderr


def command_of(repo, *words):
    return command(commands.cli, repo, "drive.py", *words)


@pytest.mark.slow
def test_a_second_run_shares_the_ledger_and_is_not_asked_for_the_first_ones_rows(through, tmp_path):
    repo = tmp_path / "repo"
    shutil.copytree(through[0], repo, symlinks=True)
    trials = Ledger(repo / LEDGER).n_trials(data_lock.read(repo).contract)
    rounds = transcript(tmp_path / "other", [change("create", "Other", source("Other", 7, 70))])
    done = command_of(repo, "--agent", "replay", "--transcript", str(rounds), "--tag", "u")
    assert done.returncode == 0, done.stderr
    one = played(repo, "u")[0]
    assert one.trials == trials + 1
    assert re.search(r"^journal: +0 rows, nothing to mend$", one.blocks, re.M)
    assert git(repo, "merge-base", "autoresearch/t", "autoresearch/u") == git(repo, "rev-parse", "HEAD")


KILLED = """
import os, signal
import loop.run_log
keep = loop.run_log.Log.keep
def killed(self, one):
    here = (one.number, one.step) == ({number}, {step!r})
    if here and {before}:
        os.kill(os.getpid(), signal.SIGKILL)
    keep(self, one)
    if here:
        os.kill(os.getpid(), signal.SIGKILL)
loop.run_log.Log.keep = killed
"""


@pytest.mark.parametrize(
    "before",
    [pytest.param(True, marks=pytest.mark.nightly), pytest.param(False, marks=pytest.mark.slow)],
    ids=["done and not noted", "noted"],
)
def test_a_driver_killed_at_every_step_loses_nothing(through, repo, tmp_path, before):
    """Each round is killed at another step, and the next start goes on."""
    rounds = transcript(tmp_path / "rounds", *ROUNDS)
    for number, step in enumerate(STEPS, 1):
        process = start(
            repo, "--transcript", rounds, "--rounds", 20, code=KILLED.format(number=number, step=step, before=before)
        )
        _, complaint = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == -signal.SIGKILL, complaint
    done = drive(repo, "--transcript", rounds, "--rounds", 20)
    assert done.returncode == 0, done.stderr
    check(repo)
    assert told(repo) == told(through[0])
    contract = data_lock.read(repo).contract
    assert Ledger(repo / LEDGER).n_trials(contract) == Ledger(through[0] / LEDGER).n_trials(contract)


@pytest.mark.slow
def test_a_driver_that_ends_before_its_run_is_noted_begins_it_again(repo, tmp_path, monkeypatch):
    rounds = transcript(tmp_path / "rounds", ROUNDS[0])
    begin = Log.begin
    with monkeypatch.context() as patch:
        patch.setattr(Log, "begin", lambda self, facts: signal.raise_signal(signal.SIGINT))
        assert drive(repo, "--transcript", rounds).returncode == 130
    assert Log.begin is begin and git(repo, "rev-parse", "autoresearch/t") == git(repo, "rev-parse", "HEAD")
    (repo / "more.txt").write_text("the user goes on meanwhile")
    git(repo, "add", "more.txt")
    git(repo, "commit", "-qm", "more")
    assert drive(repo, "--transcript", rounds).returncode == 0
    assert git(repo, "merge-base", "autoresearch/t", "HEAD") == git(repo, "rev-parse", "HEAD")
    check(repo)


@pytest.mark.slow
def test_ctrl_c_finishes_the_step_and_the_same_command_goes_on(repo, tmp_path):
    rounds = transcript(tmp_path / "rounds", *ROUNDS[:3])
    process = start(repo, "--transcript", rounds)
    until(lambda: (repo / "user_data/runs/t/0001.json").exists() and played(repo)[0].step == "committed")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err.count("Traceback")) == (130, 0), err
    assert "ended: interrupted" in out and "ends after this step" in err
    assert len(check(repo)) == 1
    assert drive(repo, "--transcript", rounds).returncode == 0
    assert len(check(repo)) == 3


@pytest.mark.slow
def test_two_ctrl_c_end_at_once_and_the_next_start_mends_it(repo, tmp_path):
    rounds = transcript(tmp_path / "rounds", *ROUNDS[:2])
    process = start(repo, "--transcript", rounds)
    until(lambda: (repo / "user_data/runs/t/0001.json").exists() and played(repo)[0].step == "committed")
    os.killpg(process.pid, signal.SIGINT)
    before = until_said(process, "ends after this step")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130 and "Traceback" not in before + err, err
    assert drive(repo, "--transcript", rounds).returncode == 0
    assert len(check(repo)) == 2


def test_two_starts_of_one_run_do_not_meet(repo, tmp_path):
    rounds = transcript(tmp_path / "rounds", ROUNDS[0])
    with alone(Worktree(repo.resolve(), "t")):
        done = drive(repo, "--transcript", rounds)
    assert (done.returncode, "under way in another process" in done.stderr) == (2, True)
    assert not (repo / "user_data/worktrees").exists()


@pytest.fixture
def one(through, prepared_repository, tmp_path):
    """A run of one round: the first of ROUNDS. Its trials are known to the ledger."""
    repo = tmp_path / "one"
    shutil.copytree(prepared_repository, repo, symlinks=True)
    shutil.copy(through[0] / LEDGER, repo / LEDGER)
    rounds = transcript(tmp_path / "rounds", *ROUNDS[:2])
    assert drive(repo, "--transcript", rounds, "--rounds", 1).returncode == 0
    return repo, rounds


def soil(repo):
    place = worktree(repo)
    (place / "user_data/strategies/Alpha.py").write_text("half a file")
    (place / "user_data/strategies/Left.py").write_text("left behind")
    (place / "README.md").write_text("changed")
    git(place, "add", "-A")


def detach(repo):
    git(worktree(repo), "checkout", "-q", "--detach", "HEAD~1")


def lock_index(repo):
    (repo / ".git/worktrees/t/index.lock").write_text("")
    (repo / ".git/refs/heads/autoresearch/t.lock").write_text("")


def foreign_commit(repo):
    (worktree(repo) / "more.txt").write_text("x")
    git(worktree(repo), "add", "more.txt")
    git(worktree(repo), "commit", "-qm", "by hand")


HARMS = {
    "dirty worktree": soil,
    "detached head": detach,
    "stale lock files": lock_index,
    "no worktree folder": lambda repo: shutil.rmtree(worktree(repo)),
    "no .git in the worktree": lambda repo: (worktree(repo) / ".git").unlink(),
    "no branch": lambda repo: (detach(repo), git(repo, "branch", "-D", "autoresearch/t")),
    "a commit by hand": foreign_commit,
    "no index": lambda repo: (repo / ".git/worktrees/t/index").write_bytes(b"nonsense"),
    "worktree pruned": lambda repo: (shutil.rmtree(worktree(repo)), git(repo, "worktree", "prune")),
    "links replaced": lambda repo: (
        (worktree(repo) / "data.lock.json").unlink(),
        (worktree(repo) / "data.lock.json").write_text("{}"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMS)
def test_whatever_happened_to_the_worktree_the_next_start_mends_it(one, name):
    repo, rounds = one
    HARMS[name](repo)
    before = untouched(repo)
    done = drive(repo, "--transcript", rounds)
    assert done.returncode == 0, done.stderr
    assert len(check(repo)) == 2
    assert untouched(repo) == before


@pytest.mark.slow
def test_rows_that_were_edited_by_hand_are_kept_and_unreadable_ones_told(one):
    repo, rounds = one
    file = worktree(repo) / "results.tsv"
    text = file.read_text().replace("hypothesis -> robust up", "an idea of mine", 1)
    file.write_text(f"{text}what is this\nabc12")
    done = drive(repo, "--transcript", rounds)
    assert done.returncode == 0, done.stderr
    lines = file.read_text().splitlines()
    assert "an idea of mine" in lines[1]
    assert lines[3:5] == ["what is this", "abc12"]
    assert [line.split("\t")[1:3] for line in lines[5:]] == [["evolve", "Alpha"], ["stable", "Beta"]]
    assert "results.tsv line 4: has 1 columns" in done.stdout and "results.tsv line 5" in done.stdout


ROWS = tuple(results_log.row("abc1234", "create", name, 0.5, 0.1, "a note") for name in ("Alpha", "Beta"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, [results_log.HEADER, *ROWS]),
        (f"{results_log.HEADER}\n", [results_log.HEADER, *ROWS]),
        (f"{results_log.HEADER}\n{ROWS[0]}\n{ROWS[1][:20]}", [results_log.HEADER, *ROWS]),  # half a line of ours
        (f"{results_log.HEADER}\n{ROWS[0]}", [results_log.HEADER, *ROWS]),
        (f"{results_log.HEADER}\nby hand\n{ROWS[1]}\n", [results_log.HEADER, "by hand", ROWS[1], ROWS[0]]),
        (f"{results_log.HEADER}\nby hand", [results_log.HEADER, "by hand", *ROWS]),
        # a note that was edited stays
        (f"{results_log.HEADER}\n{ROWS[0]} of mine\n", [results_log.HEADER, f"{ROWS[0]} of mine", ROWS[1]]),
    ],
)
def test_rows_are_appended_once_whatever_an_interruption_or_a_hand_left(tmp_path, before, after):
    file = tmp_path / "results.tsv"
    if before is not None:
        file.write_text(before)
    for _ in range(2):
        write_rows(file, ROWS)
        assert file.read_text().splitlines() == after
    assert file.read_text().endswith("\n")


@pytest.mark.slow
def test_the_users_own_work_is_neither_used_nor_touched(one):
    repo, rounds = one
    (repo / "program.md").write_text("being edited")
    (repo / "new.txt").write_text("staged")
    git(repo, "add", "new.txt")
    git(repo, "checkout", "-q", "--detach")
    strategy(settings.load(repo / "config.json"), "Mine")
    before = untouched(repo)
    assert drive(repo, "--transcript", rounds).returncode == 0
    assert untouched(repo) == before
    assert len(check(repo)) == 2


def test_a_branch_of_that_name_that_is_no_runs_is_refused_and_left_alone(repo, tmp_path):
    git(repo, "branch", "autoresearch/t")
    done = drive(repo, "--transcript", transcript(tmp_path / "rounds", ROUNDS[0]))
    assert done.returncode == 2
    assert "the branch autoresearch/t exists, and is no run of drive.py's. Choose another --tag" in done.stderr
    assert git(repo, "rev-parse", "autoresearch/t") == git(repo, "rev-parse", "HEAD")


@pytest.mark.slow
def test_a_run_begins_at_the_commit_that_is_named_and_at_none_that_is_not_there(repo, tmp_path):
    begin = git(repo, "rev-parse", "HEAD")
    (repo / "user_data/strategies/Own.py").write_text(source("Own"))
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "own")
    rounds = transcript(tmp_path / "rounds", ROUNDS[0])
    done = drive(repo, "--transcript", rounds, "--start", "nowhere")
    assert done.returncode == 2 and "--start nowhere: this repository has no such commit or branch" in done.stderr
    assert not git(repo, "branch", "--list", "autoresearch/*")
    done = drive(repo, "--transcript", rounds, "--start", begin[:9])
    assert done.returncode == 0, done.stderr
    assert git(repo, "rev-parse", "autoresearch/t~1") == begin
    assert not (worktree(repo) / "user_data/strategies/Own.py").exists()
    check(repo)


@pytest.mark.slow
def test_a_config_that_was_prepared_but_not_committed_begins_the_branch(repo, tmp_path):
    config = json.loads((repo / "config.json").read_text())
    config["fee"] = 0.002
    (repo / "config.json").write_text(json.dumps(config))
    done = drive(repo, "--transcript", transcript(tmp_path / "rounds", ROUNDS[0]))
    assert done.returncode == 2 and "contract file config.json has changed" in done.stderr
    subprocess.run([sys.executable, "prepare.py"], cwd=repo, check=True, capture_output=True)
    done = drive(repo, "--transcript", tmp_path / "rounds")
    assert done.returncode == 0, done.stderr
    assert git(repo, "show", "autoresearch/t:config.json") == json.dumps(config)
    assert "config.json" in git(repo, "log", "--format=%s", "-1", "autoresearch/t~1")
    check(repo)


@pytest.mark.slow
def test_an_arena_that_was_locked_anew_is_another_run(one):
    repo, rounds = one
    locked = json.loads((repo / data_lock.FILE).read_text())
    config = json.loads((repo / "config.json").read_text())
    config["arena"]["gates"]["min_trades"] = 31
    (repo / "config.json").write_text(json.dumps(config))
    subprocess.run([sys.executable, "prepare.py"], cwd=repo, check=True, capture_output=True)
    done = drive(repo, "--transcript", rounds)
    assert done.returncode == 2
    assert f"the run t began under contract {locked['contract'][:8]}" in done.stderr and "--tag" in done.stderr


@pytest.mark.slow
def test_git_without_a_name_commits_all_the_same(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    for key in ("user.name", "user.email"):
        subprocess.run(["git", "config", "--unset-all", key], cwd=repo)
    done = drive(repo, "--transcript", transcript(tmp_path / "rounds", ROUNDS[0]))
    assert done.returncode == 0, done.stderr
    assert git(repo, "log", "-1", "--format=%an <%ae>", "autoresearch/t") == "Touchstone <touchstone@localhost>"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda repo: shutil.rmtree(repo / ".git"), "is no git repository of its own"),
        (
            lambda repo: (shutil.rmtree(repo / ".git"), git(repo, "init", "-q")),
            "has no commit yet. Run `git add -A && git commit",
        ),
    ],
    ids=["a bare download", "no commit"],
)
def test_where_git_cannot_keep_anything_it_is_said_before_anything_is_made(repo, tmp_path, harm, words):
    harm(repo)
    done = drive(repo, "--transcript", transcript(tmp_path / "rounds", ROUNDS[0]))
    assert done.returncode == 2
    assert words in done.stderr and done.stderr.count("\n") == 1
    assert not (repo / "user_data/runs").exists() and not (repo / "user_data/worktrees").exists()


@pytest.mark.parametrize("tag", ["../out", "a/b", "-x", "a..b", "x.lock", " "])
def test_a_tag_that_could_leave_its_folder_is_refused(repo, tmp_path, tag):
    done = command_of(
        repo, "--agent", "replay", "--transcript", str(transcript(tmp_path / "rounds", ROUNDS[0])), f"--tag={tag}"
    )
    assert (done.returncode, "names a branch and a folder" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_with_room_again_it_goes_on(prepared_repository, tmp_path):
    with small_disk(tmp_path / "disk", 16) as disk:
        repo = disk / "repo"
        shutil.copytree(prepared_repository, repo, symlinks=True)
        rounds = transcript(tmp_path / "rounds", *ROUNDS[:3])
        assert drive(repo, "--transcript", rounds, "--rounds", 1).returncode == 0
        (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free))
        done = drive(repo, "--transcript", rounds)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr and ("full" in done.stderr or "space" in done.stderr)
        (disk / "ballast").unlink()
        done = drive(repo, "--transcript", rounds)
        assert done.returncode == 0, done.stderr
        assert len(check(repo)) == 3


@pytest.mark.slow
def test_a_proposal_that_breaks_the_rules_is_skipped_and_told(one, tmp_path):
    repo, _ = one
    other = transcript(
        tmp_path / "bad", [], [change("evolve", "Gamma", source("Gamma"))], [change("create", "Gamma", source("Gamma"))]
    )
    done = drive(repo, "--transcript", other)
    assert done.returncode == 0, done.stderr
    assert (
        "round 2/9 skipped: 0002.json of the transcript cannot be played here: evolve of Gamma, which is not active."
        in done.stdout
    )
    assert [one.step for one in check(repo)] == ["settled", "skipped", "settled"]


@pytest.mark.slow
def test_without_data_a_sample_market_is_prepared(repo, tmp_path):
    shutil.rmtree(repo / "user_data/data")
    (repo / data_lock.FILE).unlink()
    configured(repo, arena={"windows": {"spring": "20210301-20210415"}, "validation": None, "holdout": None})
    done = drive(repo, "--transcript", transcript(tmp_path / "rounds", ROUNDS[0]))
    assert done.returncode == 0, done.stderr
    assert "making a sample market" in done.stdout
    assert data_lock.read(repo).source["demo"]
    check(repo)


def test_the_default_tag_passes_by_a_branch_that_is_somebody_elses(repo):
    assert default_tag(repo, "2026-01-02") == "2026-01-02"
    git(repo, "branch", "autoresearch/2026-01-02")
    assert default_tag(repo, "2026-01-02") == "2026-01-02-2"
