"""
run.py as a user starts it: blocks, exit codes, the ledger's answers, interruptions, two at a time, full and read-only
disks.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

import psutil
import pytest
from arenas import SHORT, checkout, command, prepared, strategy
from waiting import HEARS_CTRL_C, PATIENCE_S, until

import prepare as preparation
import run as commands
from arena import settings
from arena.ledger import data_lock, results_log, store


def run(folder, *arguments):
    """Checked quickly, where nothing else is asked for."""
    depth = () if "--causality" in arguments else ("--causality", "quick")
    return command(commands.cli, folder, "run.py", *depth, *arguments)


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder):
    git(folder, "add", "user_data/strategies")
    git(folder, "commit", "-qm", "strategies")
    return git(folder, "rev-parse", "--short=7", "HEAD")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    made = prepared(tmp_path_factory.mktemp("template") / "repo", arena=SHORT)
    git(made.root, "init", "-q")
    strategy(made, "Alpha")
    strategy(made, "Beta", extra="stoploss = -0.03")
    return made


@pytest.fixture(scope="module")
def first(template, tmp_path_factory):
    """A round that was played: the arena, its commit, and what the command said."""
    made = copied(template, tmp_path_factory.mktemp("first"))
    (made.root / ".gitignore").write_text("user_data/data\nuser_data/ledger*\nresults.tsv\n")
    head = commit(made.root)
    return made, head, run(made.root, "--causality", "quick")


def copied(arena, folder):
    shutil.copytree(arena.root, folder / "repo")
    return settings.load(folder / "repo" / "config.json")


@pytest.fixture
def arena(template, tmp_path):
    """Two strategies that nobody has evaluated."""
    return copied(template, tmp_path)


@pytest.fixture
def played(first, tmp_path):
    """The same after the first round: what has not changed is answered from the ledger."""
    return copied(first[0], tmp_path)


def values(text, key):
    return re.findall(rf"^{key}: *(.*)$", text, re.M)


def test_blocks_come_in_order_with_a_row_each_and_a_round(first, played):
    _, head, done = first
    assert done.returncode == 0, done.stderr
    assert values(done.stdout, "strategy") == ["Alpha", "Beta"]
    assert values(done.stdout, "commit") == [head, head]
    assert values(done.stdout, "status") == ["OK", "OK"]
    (played.root / results_log.FILE).write_text(
        results_log.HEADER + "\n" + "\n".join(values(done.stdout, "row")) + "\n"
    )
    written = results_log.read(played.root / results_log.FILE)
    assert [(row.event, row.strategy) for row in written.rows] == [("create", "Alpha"), ("create", "Beta")]
    assert not written.problems
    assert values(done.stdout, "active") == ["2 of 3: Alpha, Beta"]
    assert values(done.stdout, "ledger")[0].startswith("2 trials under this contract")
    told = values(done.stdout, "superior")[0]
    assert re.fullmatch(
        r"[0-2] of 2 beat cash \(p=0\.\d{3} of the best\), [0-2] of 2 beat buy-and-hold \(p=[01]\.\d{3} of the best\); "
        r"StepM, familywise 5 %",
        told,
    )


def test_an_unchanged_source_is_answered_from_the_ledger_and_is_no_new_trial(first, played):
    done, again = first[2], run(played.root, "--causality", "quick")
    assert done.stdout.count("cached: no") == 2
    assert again.stdout.count("cached: yes") == 2
    for key in ("sharpe", "sharpe_ci95", "total_profit_abs", "relabel_sharpe", "skipped", "validation"):
        assert len(values(done.stdout, key)) == 2
        assert values(done.stdout, key) == values(again.stdout, key)
    earned = [[re.sub(r"dsr=\S+", "", line) for line in values(text.stdout, "gates")] for text in (done, again)]
    assert earned[0] == earned[1]
    evidence = values(again.stdout, "evidence")  # of today: now each of the two knows the other's returns
    assert all(line.startswith("trials=2 ") for line in evidence)
    assert evidence[0].split()[:3] == evidence[1].split()[:3]
    kept = store.Ledger(played.root / store.LEDGER)
    assert kept.n_trials(data_lock.read(played.root).contract) == 2
    assert kept.check() == []


@pytest.mark.slow
def test_whoever_changes_a_limit_keeps_the_count_and_whoever_loses_the_ledger_too(played):
    text = (played.root / "config.json").read_text()
    (played.root / "config.json").write_text(re.sub(r'"seconds": \d+', '"seconds": 119', text))
    assert command(preparation.cli, played.root, "prepare.py").returncode == 0
    strategy(played, "Beta", extra="stoploss = -0.05")
    done = run(played.root, "--strategy", "Beta")
    assert values(done.stdout, "evidence")[0].startswith("trials=3 other_contracts=2 ")
    (played.root / store.LEDGER).unlink()
    for again in (
        run(played.root),
        command(preparation.cli, played.root, "prepare.py"),
        run(played.root, "--strategy", "Beta"),
    ):
        assert (
            again.returncode == 2
            and "there is no ledger at" in again.stderr
            and "prepare.py --ledger-lost" in again.stderr
        )
    lost = command(preparation.cli, played.root, "prepare.py", "--ledger-lost")
    assert lost.returncode == 0 and "ledger: 3 trials are gone, and count in the luck of all later ones" in lost.stdout
    done = run(played.root, "--strategy", "Beta")
    assert values(done.stdout, "evidence")[0].startswith("trials=4 other_contracts=3 ")


@pytest.mark.slow
def test_the_row_tells_evolve_from_stable(first, played):
    rows = values(first[2].stdout, "row")
    (played.root / results_log.FILE).write_text(results_log.HEADER + "\n" + "\n".join(rows) + "\n")
    strategy(played, "Beta", extra="stoploss = -0.05")
    commit(played.root)
    second = run(played.root)
    assert [row.split("\t")[1] for row in values(second.stdout, "row")] == ["stable", "evolve"]
    assert values(second.stdout, "stable") == ["Alpha 1/3, Beta 0/3"]


@pytest.mark.slow
def test_a_row_is_missed_for_what_was_discarded_here_and_not_for_what_another_worktree_tried(first, played, tmp_path):
    (played.root / results_log.FILE).write_text(
        results_log.HEADER + "\n" + "\n".join(values(first[2].stdout, "row")) + "\n"
    )
    strategy(played, "Beta", extra="stoploss = -0.05")
    discarded = commit(played.root)
    run(played.root)
    git(played.root, "reset", "-q", "--hard", "HEAD~1")
    git(played.root, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    beta = tmp_path / "other" / "user_data" / "strategies" / "Beta.py"
    beta.write_text(beta.read_text() + "# theirs\n")
    theirs = commit(tmp_path / "other")
    book = store.Ledger(played.root / store.LEDGER)
    known = book.trials(data_lock.read(played.root).contract)[-1]
    fields = {name: getattr(known, name) for name in ("strategy", "source", "error_kind", "result", "verdict")}
    book.append(store.Entry("trial", data_lock.read(played.root).contract, sha256="f" * 64, commit_id=theirs, **fields))
    complaints = run(played.root).stdout.split("\njournal:")[1].split("\nledger:")[0]
    assert f"results.tsv has no row for Beta at {discarded}. Append it." in complaints
    assert theirs not in complaints


def test_what_was_not_committed_is_marked_dirty(played):
    strategy(played, "Beta", indicators="return (")
    alpha, beta = values(run(played.root).stdout, "commit")
    assert (alpha.endswith("+dirty"), beta.endswith("+dirty")) == (False, True)


def test_one_failure_leaves_the_others_and_exits_1(played):
    broken = played.root / "user_data" / "strategies" / "Broken.py"
    broken.write_text("class Broken(IStrategy:\n")
    done = run(played.root)
    assert done.returncode == 1
    assert values(done.stdout, "strategy") == ["Alpha", "Beta", "Broken"]
    assert values(done.stdout, "status")[:2] == ["OK", "OK"]
    failed = re.split(r"strategy: +Broken\n", done.stdout)[1]
    assert values(failed, "status")[0].startswith("FAIL: SyntaxError")
    assert "  Broken.py:1: class Broken(IStrategy:" in failed
    assert "FAIL: SyntaxError" in values(failed, "row")[0]


def test_a_single_strategy_can_be_asked_for(played):
    done = run(played.root, "--strategy", "Beta")
    assert values(done.stdout, "strategy") == ["Beta"]
    assert "round:" not in done.stdout
    assert "There are: Alpha, Beta" in run(played.root, "--strategy", "Gamma").stderr


def break_lock(arena):
    file = arena.root / "user_data" / "data" / "BTC_USDT-1h.feather"
    file.write_bytes(file.read_bytes() + b"x")


def misspell(arena):
    text = (arena.root / "config.json").read_text()
    (arena.root / "config.json").write_text(text.replace("min_trades", "min_trade", 1))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda a: (a.root / data_lock.FILE).unlink(), "not prepared. Run `uv run prepare.py`"),
        (break_lock, "data file user_data/data/BTC_USDT-1h.feather has changed"),
        (misspell, "arena.gates has an unknown key 'min_trade'. Did you mean 'min_trades'?"),
        (lambda a: [strategy(a, name) for name in ("C", "D")], "4 strategies in"),
        (lambda a: [f.unlink() for f in (a.root / "user_data" / "strategies").glob("*.py")], "no strategies in"),
        (lambda a: (a.root / "config.json").unlink(), "config.json not found"),
        (lambda a: (a.root / store.LEDGER).write_bytes(b"no database at all" * 100), "ledger"),
    ],
    ids=["not prepared", "lock broken", "config wrong", "above the cap", "no strategies", "elsewhere", "no ledger"],
)
def test_an_arena_that_cannot_be_used_exits_2_with_one_message(arena, harm, words):
    harm(arena)
    done = run(arena.root)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.slow
def test_the_demonstration_touches_neither_strategies_nor_journal_nor_trials(tmp_path):
    repo = checkout(tmp_path / "repo")
    before = sorted(file.name for file in (repo / "user_data" / "strategies").iterdir())
    done = subprocess.run([sys.executable, "run.py", "--demo"], cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert values(done.stdout, "strategy") == ["MeanRevRsi", "TrendDonchian", "VolBreakout"]
    assert values(done.stdout, "status") == ["OK"] * 3
    assert "source: sample-market" in done.stdout
    assert "prepare.py" in done.stdout.split("verdict")[-1]
    assert sorted(file.name for file in (repo / "user_data" / "strategies").iterdir()) == before
    assert not (repo / results_log.FILE).exists()
    assert store.Ledger(repo / store.LEDGER).n_trials(data_lock.read(repo).contract) == 0
    made_room = subprocess.run(
        [sys.executable, "prepare.py", "--sample", "planted"], cwd=repo, capture_output=True, text=True
    )
    assert made_room.returncode == 0, "a demonstration's market is replaced without being asked for"


@pytest.fixture
def checked_out(tmp_path):
    """A checkout with its own run.py, prepared, and a strategy that never ends."""
    repo = checkout(tmp_path / "cli")
    prepared(repo)
    return repo


def descendants(process):
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def generation(process, oldest):
    """How many parents lie between the process and the oldest."""
    with contextlib.suppress(psutil.Error):
        return [parent.pid for parent in process.parents()].index(oldest.pid)
    return -1


def runs(process):
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_an_interruption_leaves_no_process_behind_and_the_ledger_whole(checked_out, number):
    strategy(settings.load(checked_out / "config.json"), "Endless", indicators="import os\nos.fork()\nwhile True: pass")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "run.py"], cwd=checked_out, **pipes, **HEARS_CTRL_C)
    running = psutil.Process(process.pid)
    until(lambda: any(generation(p, running) == 2 for p in descendants(running)), process)
    started = descendants(running)
    assert len(started) >= 4  # resource tracker, fork server, worker, what it forked
    process.send_signal(number)
    _, complaint = process.communicate(timeout=PATIENCE_S)
    until(lambda: not any(map(runs, started)))
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert complaint.startswith("arena: interrupted")
        assert "Traceback" not in complaint
    kept = store.Ledger(checked_out / store.LEDGER)
    assert kept.check() == []
    assert kept.n_trials(data_lock.read(checked_out).contract) == 1, "it was begun, so it was tried"
    assert kept.trials(data_lock.read(checked_out).contract) == []


@pytest.mark.slow
def test_two_at_the_same_time_share_the_ledger(checked_out):
    arena = settings.load(checked_out / "config.json")
    for name in ("One", "Two"):
        strategy(arena, name)
    command = [sys.executable, "run.py", "--causality", "quick"]
    both = [subprocess.Popen(command, cwd=checked_out, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    texts = [process.communicate(timeout=PATIENCE_S)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert values(texts[0], "sharpe") == values(texts[1], "sharpe")
    kept = store.Ledger(checked_out / store.LEDGER)
    assert kept.check() == []
    assert kept.n_trials(data_lock.read(checked_out).contract) == 2


@contextlib.contextmanager
def small_disk(folder, megabytes):
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True
        ).returncode
    ):
        pytest.skip("needs root and mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)])


def test_a_read_only_checkout_is_said(tmp_path):
    with small_disk(tmp_path / "disk", 8) as disk:
        strategy(prepared(disk / "repo"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = run(disk / "repo")
    assert done.returncode == 2
    assert "writ" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_ledger_stays_whole(tmp_path):
    with small_disk(tmp_path / "disk", 8) as disk:
        arena = prepared(disk / "repo")
        strategy(arena)
        run(arena.root)
        strategy(arena, extra="stoploss = -0.02")
        (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free))
        done = run(arena.root)
        kept = store.Ledger(arena.root / store.LEDGER)
        assert done.returncode == 2
        assert "full" in done.stderr
        (disk / "ballast").unlink()
        assert kept.check() == []
        assert kept.n_trials(data_lock.read(arena.root).contract) == 1
