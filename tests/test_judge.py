"""judge.py --verify: what was recorded is what the committed sources earn, or it says what is not."""

import json
import shutil
import sqlite3
import subprocess
import sys

import pytest
from arenas import ROOT, checkout, command, script, strategy
from runs import made
from test_run import commit, git

from arena import settings
from arena.ledger import results_log, store


def verify(folder):
    return command(script("judge").cli, folder, "judge.py", "--verify")


def test_a_process_of_its_own_finds_the_judges_modules(tmp_path):
    """It imports by the rules of an isolated start, which this process does not."""
    checkout(tmp_path)
    shutil.copy(ROOT / "judge.py", tmp_path)
    done = subprocess.run([sys.executable, "judge.py", "close", "9.9.9"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("judge: ") and "9.9.9" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A repository with two strategies, evaluated and committed, and their rows in results.tsv."""
    arena = {
        "windows": {"spring": "20210301-20210415", "summer": "20210415-20210601"},
        "validation": "20210601-20210701",
        "holdout": None,
    }
    return made(tmp_path_factory.mktemp("played") / "repo", arena=arena)


@pytest.fixture
def arena(played, tmp_path):
    shutil.copytree(played, tmp_path / "repo")
    return tmp_path / "repo"


def forged(folder, change):
    """The ledger with one of its results changed, and its chain rebuilt as its writer would."""
    with sqlite3.connect(folder / store.LEDGER) as db:
        rows = [list(row) for row in db.execute(f"SELECT {', '.join(store.COLUMNS)} FROM entries ORDER BY number")]
        before, result = store.GENESIS, store.COLUMNS.index("result")
        for row in rows:
            if row[store.COLUMNS.index("strategy")] == "Alpha" and "own" in row[result]:
                row[result] = json.dumps(change(json.loads(row[result])))
            row[-1] = before
            before = store._hash(row)
            db.execute(
                "UPDATE entries SET result = ?, before = ?, hash = ? WHERE number = ?",
                (row[result], row[-1], before, row[0]),
            )


@pytest.mark.slow
def test_what_was_recorded_is_verified_and_nothing_stays(arena, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    before = {
        file: file.read_bytes()
        for file in arena.rglob("*")
        if file.is_file() and ".git/" not in str(file) and "ledger.db-" not in file.name
    }
    done = verify(arena)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ledger: every entry is as it was written; 2 evaluations under contract ")
    assert [line.split()[0] for line in lines[1:3]] == ["Alpha", "Beta"]
    assert all(int(line.split()[2]) > 150 and line.endswith(" figures are the ledger's") for line in lines[1:3])
    assert lines[3] == "verified: all is as the ledger has it"
    after = {
        file: file.read_bytes()
        for file in arena.rglob("*")
        if file.is_file() and ".git/" not in str(file) and "ledger.db-" not in file.name
    }
    assert after == before
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.slow
def test_a_forged_figure_shows_although_the_chain_is_whole(arena):
    forged(
        arena,
        lambda result: (
            result | {"own": result["own"] | {"sharpe": 2.5}, "stress": result["stress"] | {"timing_p": 0.001}}
        ),
    )
    done = verify(arena)
    assert done.returncode == 1
    assert "every entry is as it was written" in done.stdout
    told = next(line for line in done.stdout.splitlines() if line.startswith("Alpha "))
    assert "own.sharpe is 2.5 in the ledger, " in told
    assert "stress.timing_p is 0.001 in the ledger, " in told
    # results.tsv has the true figure
    assert "Beta" in done.stdout and "not verified: lines above that say why: 2" in done.stdout


@pytest.mark.nightly
def test_a_changed_a_removed_and_a_reordered_entry_are_named(arena):
    with sqlite3.connect(arena / store.LEDGER) as db:
        db.execute("UPDATE entries SET verdict = 'ACCEPTED' WHERE number = 2")
    assert "ledger: entry 2 was changed after it was written" in verify(arena).stdout
    with sqlite3.connect(arena / store.LEDGER) as db:
        db.execute("DELETE FROM entries WHERE number = 2")
    assert "ledger: entry 2 is missing: entry 3 follows 1" in verify(arena).stdout


@pytest.mark.nightly
def test_a_row_of_results_tsv_with_another_figure_is_named(arena):
    file = arena / results_log.FILE
    lines = file.read_text().splitlines()
    cells = lines[1].split("\t")
    right, cells[3] = cells[3], "1.9000"
    file.write_text("\n".join([lines[0], "\t".join(cells), *lines[2:]]) + "\n")
    done = verify(arena)
    assert done.returncode == 1
    assert (
        f"results.tsv line 2: Alpha at {cells[0]} has 1.9000 {cells[4]}, the ledger has {right} {cells[4]}"
        in done.stdout
    )


@pytest.mark.slow
def test_code_that_was_committed_otherwise_is_named_and_nothing_is_evaluated(arena):
    metrics = arena / "arena" / "stats" / "metrics.py"
    metrics.write_text(metrics.read_text() + "\n")
    git(arena, "commit", "-qam", "better metrics")
    git(arena, "checkout", "-q", "HEAD~1", "--", "arena")  # the folder is as it was locked, HEAD is not
    done = verify(arena)
    assert done.returncode == 1
    assert "HEAD: arena/stats/metrics.py is not what the arena was locked with" in done.stdout
    assert "Alpha" not in done.stdout


@pytest.mark.nightly
def test_a_committed_strategy_that_was_never_evaluated_is_named(arena):
    strategy(settings.load(arena / "config.json"), "Alpha", extra="stoploss = -0.07")
    commit(arena)
    done = verify(arena)
    assert done.returncode == 1
    assert "was never evaluated here under this contract" in done.stdout


@pytest.mark.slow
def test_without_a_ledger_or_a_commit_it_says_so(arena):
    shutil.rmtree(arena / ".git")
    done = verify(arena)
    assert (done.returncode, done.stdout.count("verified")) == (2, 0)
    assert "git cannot clone" in done.stderr and "Traceback" not in done.stderr
    (arena / store.LEDGER).unlink()
    assert "there is no ledger at user_data/ledger.db" in verify(arena).stderr
