"""What is drawn is what ledger and git have."""

import json
import math
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
from arenas import ROOT, prepared, strategy
from test_run import commit, git

from analysis import frontier, timeline
from arena.errors import ArenaError
from arena.ledger import data_lock, results_log
from arena.ledger.store import LEDGER, Entry, Ledger
from arena.records import Evidence, GateResult, Look, Metrics, Result


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two rounds that were kept, one that was reset, one that failed."""
    made = prepared(tmp_path_factory.mktemp("story") / "repo")
    (made.root / ".gitignore").write_text("user_data/data\nuser_data/ledger*\n")
    git(made.root, "init", "-q")
    ledger, contract = Ledger(made.root / LEDGER), data_lock.read(made.root).contract

    def record(name, sha, head, sharpe, *, error="", passed=True, look=None, luck=0.5):
        gates = (GateResult("trades", passed, 50.0, 30.0, ">="), GateResult("dsr", False, 0.2, 0.95, ">="))
        own = Metrics() if error else Metrics(**(asdict(Metrics()) | {"sharpe": sharpe, "max_drawdown": 0.2}))
        result = Result(
            name, sha, head, contract, "sample", "full", "booking", 1.0, error="raised" if error else "",
            error_kind=error, own=own, gates=() if error else gates, evidence=Evidence(trials=1, luck_line=luck),
            look=look or Look(),
        )  # fmt: skip
        ledger.append(
            Entry("trial", contract, name, sha, "x", head, error, json.dumps(asdict(result)), "REJECTED: dsr")
        )

    heads = []
    for k, stop in enumerate(("-0.05", "-0.06", "-0.07")):
        strategy(made, "Alpha", extra=f"stoploss = {stop}")
        heads.append(commit(made.root))
        if k == 1:
            git(made.root, "reset", "-q", "--hard", "HEAD~1")
    record("Alpha", "a" * 64, heads[0], 0.4, luck=math.nan)
    record("Alpha", "b" * 64, heads[1], 1.5, passed=False)
    record("Alpha", "c" * 64, heads[2], 0.9, luck=0.8, look=Look(asked=True, improved=True, best=0.3, looks=1))
    record("Beta", "d" * 64, f"{heads[2]}+dirty", math.nan, error="LoadError")
    record("Alpha", "b" * 64, heads[1], 1.6, passed=False)  # asked again
    return made.root


def test_trials_come_in_order_with_what_git_kept(root):
    told = timeline.read(root)
    assert [one.number for one in told.tried] == [1, 2, 3, 4]
    assert [one.sharpe for one in told.tried][:3] == [0.4, 1.6, 0.9]
    assert [one.kept for one in told.tried] == [True, False, True, False]
    assert [one.passed for one in told.tried] == [True, False, True, False]
    assert [one.failed for one in told.tried] == ["", "", "", "LoadError"]
    assert told.tried[2].validation == 0.3 and math.isnan(told.tried[0].validation)
    assert told.tried[0].time.tzinfo is not None
    assert told.running_best() == [0.4, 0.4, 0.9, 0.9]  # what was discarded is no best
    assert (told.contract, told.search) == (data_lock.read(root).contract, "20210301-20210901")


def test_where_no_strategy_is_active_the_best_that_were_kept_stand_for_the_run(root):
    told = timeline.read(root)
    title, shown = told.shown()
    assert (title, [one.sharpe for one in shown]) == ("best trials that were kept", [0.9, 0.4])
    assert (told.place("Alpha"), told.place("Beta")) == (0, -1)
    title, shown = replace(told, tried=tuple(replace(one, kept=False) for one in told.tried)).shown()
    assert (title, [one.sharpe for one in shown]) == ("best trials", [1.6, 0.9, 0.4])


def test_the_picture_shows_every_trial_once(root):
    axis = frontier.draw(timeline.read(root)).axes[0]
    dots = {each.get_label().split(" (")[0]: each.get_offsets().tolist() for each in axis.collections}
    assert dots["kept"] == [[1, 0.4], [3, 0.9]]
    assert dots["discarded"] == [[2, 1.6]]
    assert dots["new best in the validation window"] == [[3, 0.3]]
    lines = {line.get_label(): line.get_ydata() for line in axis.lines}
    assert list(lines["best kept so far"]) == [0.4, 0.4, 0.9, 0.9]
    assert list(lines["luck line of then"]) == [0.5, 0.8, 0.5]
    assert len(lines["failed (1)"]) == 1


def test_trials_of_other_searches_in_the_arena_are_told_from_what_was_discarded_here(root):
    told = timeline.read(root)
    assert not any(one.elsewhere for one in told.tried)  # without a row nobody knows
    file = root / results_log.FILE
    file.write_text(f"{results_log.HEADER}\n{told.tried[0].commit}\tcreate\tAlpha\t0.4000\t-20.0\tnote\n")
    try:
        told = timeline.read(root)
    finally:
        file.unlink()
    # the last one is dirty, and its head is ours
    assert [one.fate for one in told.tried] == ["kept", "of other searches", "kept", "discarded"]
    axis = frontier.draw(told).axes[0]
    assert [
        each.get_offsets().tolist() for each in axis.collections if each.get_label() == "of other searches (1)"
    ] == [[[2, 1.6]]]


def test_what_a_row_calls_discarded_was_not_kept_though_git_holds_its_commit(root):
    """A commit stays for the sake of one strategy; another one that it changed is put back later."""
    first, _, third, _ = timeline.read(root).tried
    rows = [f"{one.commit}\tevolve\tAlpha\t{one.sharpe:.4f}\t-20.0\t" for one in (first, third)]
    file = root / results_log.FILE
    file.write_text(
        "\n".join(
            [
                results_log.HEADER,
                rows[0] + "discarded idea -> better than kept -> discarded; next: what was kept",
                rows[1] + "not discarded -> kept; next",
            ]
        )
    )
    try:
        told = timeline.read(root)
    finally:
        file.unlink()
    assert [one.kept for one in told.tried] == [False, False, True, False]
    assert [told.held(row) for row in told.journal.rows] == [False, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("a.png", 0, "a.png: 4 trials, 2 kept"), ("a.xyz", 2, "a.xyz: Format 'xyz' is not supported")],
)
def test_the_command_writes_the_picture_or_says_why_not(root, tmp_path, name, code, words):
    command = [sys.executable, "-m", "analysis.frontier", str(tmp_path / name)]
    done = subprocess.run(
        command, cwd=root, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / name).exists() == (code == 0)


def test_an_arena_without_trials_is_said(tmp_path):
    with pytest.raises(ArenaError, match="not prepared"):
        timeline.read(tmp_path)
    made = prepared(tmp_path / "repo")
    with pytest.raises(ArenaError, match="has no trial under contract"):
        timeline.read(made.root)
