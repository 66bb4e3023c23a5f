import json
import os
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import ROOT
from waiting import PATIENCE_S

from arena.errors import LedgerError
from arena.ledger.store import COLUMNS, EVALUATION, GENESIS, Entry, Ledger, distinct, returns_bytes


def trial(number=0, contract="c1", **fields):
    return Entry(
        **{
            "kind": "trial",
            "contract": contract,
            "strategy": f"S{number}",
            "sha256": f"{number:064d}",
            "source": "x = 1",
        }
        | fields
    )


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.db")


@pytest.fixture
def five(ledger):
    for number in range(5):
        ledger.append(trial(number))
    return ledger


def edit(ledger, *statements):
    """What somebody with an editor for SQLite does."""
    with sqlite3.connect(ledger.path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def rows(ledger):
    with sqlite3.connect(ledger.path) as db:
        found = db.execute("SELECT * FROM entries ORDER BY number").fetchall()
    db.close()
    return found


def test_a_new_ledger_is_empty_and_whole(ledger):
    assert ledger.check() == []
    assert ledger.trials("c1") == []
    assert ledger.n_trials("c1") == 0
    assert ledger.last_contract() is None
    assert ledger.answer("c1", "0" * 64) is None


def test_rows_are_numbered_and_each_carries_the_hash_of_the_one_before(five):
    found = rows(five)
    assert [row[0] for row in found] == [1, 2, 3, 4, 5]
    assert [row[-2] for row in found] == [GENESIS, *(row[-1] for row in found[:-1])]
    assert five.append(trial(5)) == 6
    assert five.check() == []


def test_what_is_appended_is_what_is_read(ledger):
    returns = (0.01, -0.02, float("nan"))
    text = 'Größe\n\0\t"quoted" \U0001f600'
    ledger.append(
        trial(
            1,
            source=text,
            result='{"a": 1}',
            commit_id="abc1234",
            error_kind="LoadError",
            verdict="no",
            returns=returns_bytes(returns),
        )
    )
    (row,) = rows(ledger)
    values = dict(zip(COLUMNS, row, strict=False))
    assert values["source"] == text
    assert (values["kind"], values["commit_id"], values["error_kind"], values["verdict"]) == (
        "trial",
        "abc1234",
        "LoadError",
        "no",
    )
    assert np.frombuffer(values["returns"], "<f8") == pytest.approx(returns, nan_ok=True)
    assert values["time"].endswith("+00:00")
    (told,) = ledger.trials("c1")
    assert (told.commit, told.strategy, told.sha256, told.result) == ("abc1234", "S1", f"{1:064d}", '{"a": 1}')
    assert (told.time, told.verdict) == (values["time"], "no")
    assert told.returns == pytest.approx(returns, nan_ok=True)
    assert ledger.check() == []


def test_a_source_counts_once_as_it_was_last_evaluated_and_a_limit_says_nothing_new(ledger):
    for number, kind in (
        (1, ""),
        (2, "LimitError"),
        (1, "LimitError"),
        (2, "LoadError"),
        (1, "CausalityError"),
        (3, "LimitError"),
    ):
        ledger.append(trial(number, error_kind=kind))
    told = distinct(ledger.trials("c1"))
    assert [(one.strategy, one.error_kind) for one in told.values()] == [
        ("S1", "CausalityError"),
        ("S2", "LoadError"),
        ("S3", "LimitError"),
    ]
    ledger.append(trial(1, error_kind="LimitError"))
    assert distinct(ledger.trials("c1"))[f"{1:064d}"].error_kind == "CausalityError"


@pytest.mark.parametrize("column", [column for column in COLUMNS if column != "number"])
def test_a_change_of_any_column_is_named(five, column):
    value = {"kind": "'contract'", "returns": "x'00'"}.get(column, f"{column} || '!'")
    edit(five, f"UPDATE entries SET {column} = {value} WHERE number = 3")
    assert "entry 3 was changed after it was written" in five.check()
    assert not any("entry 5" in problem for problem in five.check())


def test_a_row_that_was_hashed_anew_breaks_the_next(five):
    edit(five, f"UPDATE entries SET hash = '{'1' * 64}' WHERE number = 3")
    assert five.check() == ["entry 3 was changed after it was written", "entry 4 does not continue the entry before it"]


def test_a_removed_row_is_named(five):
    edit(five, "DELETE FROM entries WHERE number = 3")
    assert five.check() == ["entry 3 is missing: entry 4 follows 2", "entry 4 does not continue the entry before it"]


def test_the_first_row_cannot_be_removed_unseen(five):
    edit(five, "DELETE FROM entries WHERE number = 1")
    assert five.check() == ["entry 1 is missing: entry 2 follows 0", "entry 2 does not continue the entry before it"]


def test_a_removed_row_whose_number_is_filled_is_named(five):
    edit(five, "DELETE FROM entries WHERE number = 3", "UPDATE entries SET number = number - 1 WHERE number > 3")
    problems = five.check()
    assert "entry 3 does not continue the entry before it" in problems
    assert "entry 3 was changed after it was written" in problems


def test_exchanged_rows_are_named(five):
    edit(
        five,
        "UPDATE entries SET number = 9 WHERE number = 2",
        "UPDATE entries SET number = 2 WHERE number = 3",
        "UPDATE entries SET number = 3 WHERE number = 9",
    )
    problems = five.check()
    assert {"entry 2 was changed after it was written", "entry 3 was changed after it was written"} < set(problems)


def test_an_inserted_row_is_named(five):
    names = [*COLUMNS, "hash"]
    copied = ", ".join({"number": "3"}.get(name, name) for name in names)
    edit(
        five,
        "UPDATE entries SET number = number + 10 WHERE number > 2",
        "UPDATE entries SET number = number - 9 WHERE number > 10",
        f"INSERT INTO entries ({', '.join(names)}) SELECT {copied} FROM entries WHERE number = 2",
    )
    assert "entry 3 was changed after it was written" in five.check()


def test_a_row_goes_on_from_the_newest_even_after_a_break(five):
    edit(five, "DELETE FROM entries WHERE number = 2")
    broken = five.check()
    assert five.append(trial(9)) == 6
    assert five.check() == broken  # named once, and the new row is whole


def test_a_kind_that_is_none_is_refused(ledger):
    with pytest.raises(LedgerError, match="CHECK constraint failed"):
        ledger.append(trial(kind="guess"))
    assert ledger.check() == []


WRITER = """
import sys
from pathlib import Path
from arena.ledger.store import Entry, Ledger
ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(1_000_000):
    ledger.append(Entry(kind="trial", contract="c1", strategy=sys.argv[2], sha256=f"{sys.argv[2]}{number}"))
    if number >= 49 and any(trial.strategy != sys.argv[2] for trial in ledger.trials("c1")):
        break  # they have met
"""


def test_two_processes_write_at_the_same_time(ledger):
    """Both begin with a ledger that does not exist yet."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(ledger.path), name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "AB"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=PATIENCE_S)
        assert (writer.returncode, errors) == (0, "")
    assert ledger.check() == []
    trials = ledger.trials("c1")
    for name in "AB":  # each one's rows stand in its own order
        own = [trial.sha256 for trial in trials if trial.strategy == name]
        assert len(own) >= 50
        assert own == [f"{name}{number}" for number in range(len(own))]


def test_a_new_file_that_another_process_holds_is_waited_for(ledger):
    holder = sqlite3.connect(ledger.path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("CREATE TABLE other (x)")
    release = threading.Timer(0.2, holder.rollback)
    release.start()
    assert ledger.append(trial()) == 1
    release.join()
    holder.close()


def test_a_ledger_that_another_process_holds_is_said_to_be_locked(ledger, monkeypatch):
    ledger.append(trial())
    monkeypatch.setattr("arena.ledger.store.TIMEOUT_S", 0.05)
    holder = sqlite3.connect(ledger.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match=r"stayed locked for 0\.05 s by another process"):
        ledger.append(trial(1))
    holder.close()
    assert ledger.append(trial(1)) == 2


def test_a_ledger_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "user_data").write_text("a file")
    with pytest.raises(LedgerError, match=r"user_data/ledger\.db cannot be written .* make its folder writable"):
        Ledger(tmp_path / "user_data" / "ledger.db").append(trial())


def test_a_folder_in_place_of_the_ledger_cannot_be_written(tmp_path):
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerError, match="cannot be written"):
        Ledger(tmp_path / "ledger.db").n_trials("c1")


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(LedgerError, match="cannot be written"):
        Ledger(tmp_path / "nowhere" / "ledger.db").append(trial())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_read_only_ledger_is_said(five, place):
    target = five.path if place == "file" else five.path.parent
    before = target.stat().st_mode
    target.chmod(0o500 if place == "folder" else 0o400)
    try:
        with pytest.raises(LedgerError, match="cannot be written"):
            five.append(trial(9))
    finally:
        target.chmod(before)


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a real file system of a given size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def mount(options):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("no right to mount a file system")
        mounted.append(folder)
        return folder

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
def test_a_read_only_disk_is_said(small_disk):
    folder = small_disk("size=1m")
    ledger = Ledger(folder / "ledger.db")
    ledger.append(trial())
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    with pytest.raises(LedgerError, match="cannot be (written|used)"):
        ledger.append(trial(1))


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
def test_a_full_disk_is_said_and_leaves_whole_rows(small_disk):
    ledger = Ledger(small_disk("size=128k") / "ledger.db")
    written = 0
    with pytest.raises(LedgerError, match="the disk is full, so the ledger .* could not record a trial"):
        for _ in range(100):
            ledger.append(trial(written, source="x" * 4000))
            written += 1
    assert 1 <= written < 100
    assert len(ledger.trials("c1")) == written
    assert ledger.check() == []


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
def test_a_disk_that_is_full_from_the_beginning_is_said(small_disk):
    folder = small_disk("size=64k")
    (folder / "everything").write_bytes(bytes(64 * 1024))
    with pytest.raises(LedgerError, match="the disk is full"):
        Ledger(folder / "ledger.db").append(trial())


@pytest.mark.parametrize(
    "data", [b"this is not a database, whatever its name says" * 50, b"SQLite format 3\0" + bytes(4080)]
)
def test_a_file_that_is_no_database_is_said(tmp_path, data):
    file = tmp_path / "ledger.db"
    file.write_bytes(data)
    for use in (lambda ledger: ledger.append(trial()), Ledger.check, lambda ledger: ledger.n_trials("c1")):
        with pytest.raises(
            LedgerError, match=r"ledger\.db cannot be used: .* Move it away to begin a new one, and keep it"
        ):
            use(Ledger(file))
    assert file.read_bytes() == data


def test_another_table_of_that_name_is_said(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("CREATE TABLE entries (contract, sha256)")
    db.close()
    with pytest.raises(LedgerError, match="cannot be used: "):
        Ledger(tmp_path / "ledger.db").append(trial())


MADE = {
    "trigger 'forget'": "CREATE TRIGGER forget AFTER INSERT ON entries BEGIN DELETE FROM entries WHERE number = "
    "new.number; END",
    "trigger 'quiet'": "CREATE TRIGGER quiet BEFORE INSERT ON entries BEGIN SELECT RAISE(IGNORE); END",
    "view 'trials'": "CREATE VIEW trials AS SELECT * FROM entries",
    "index 'some'": "CREATE UNIQUE INDEX some ON entries (sha256) WHERE kind = 'trial'",
    "table 'notes'": "CREATE TABLE notes (x)",
    "table 'sqlite_stat1'": "ANALYZE",
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_not_the_ledgers_own_is_refused_by_name_whatever_is_asked(five, name):
    before = rows(five)
    edit(five, MADE[name])
    for use in (lambda: five.append(trial(9)), five.check, five.confirm, five.tries, lambda: five.trials("c1")):
        with pytest.raises(
            LedgerError,
            match=f"it holds the {name}, which is not Touchstone's .* remove it with `DROP {name.split()[0].upper()} ",
        ):
            use()
    assert rows(five) == before
    edit(five, f"DROP {name.split()[0]} {name.split()[1][1:-1]}")
    assert five.append(trial(9)) == 6


def declared(ledger, name, words):
    """Another declaration under the same name, as an editor of SQLite's own table of them can write it."""
    with sqlite3.connect(ledger.path) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (words, name))
    db.close()


def own_words(ledger, name):
    with sqlite3.connect(ledger.path) as db:
        (words,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    db.close()
    return words


def test_a_changed_check_is_refused(five):
    declared(five, "entries", own_words(five, "entries").replace("'trial', ", "'trial', 'nothing', "))
    for use in (lambda: five.append(trial(9)), five.check, five.confirm):
        with pytest.raises(LedgerError, match="its table 'entries' is not the one that Touchstone makes"):
            use()


def test_an_index_that_leaves_rows_out_hides_none_even_if_it_looks_like_the_ledgers_own(five):
    words = own_words(five, "by_source")
    edit(five, "DROP INDEX by_source", f"{words} WHERE number > 3")
    with pytest.raises(LedgerError, match="its index 'by_source' is not the one"):
        five.tries()
    declared(five, "by_source", words)
    assert five.n_trials("c1") == len(five.trials("c1")) == len(five.tries()) == 5
    assert five.answer("c1", f"{0:064d}") is not None


def test_a_missing_index_is_made_again(five):
    edit(five, "DROP INDEX by_source")
    assert five.append(trial(9)) == 6 and own_words(five, "by_source")


def test_a_trigger_that_comes_between_writing_and_reading_back_is_told(five, monkeypatch):
    """What another program does after the row is there, and before it is read back."""
    anchored = Ledger._anchor

    def meanwhile(self, row):
        edit(self, f"DELETE FROM entries WHERE number = {row[0]}")
        anchored(self, row)

    monkeypatch.setattr(Ledger, "_anchor", meanwhile)
    with pytest.raises(LedgerError, match="entry 6 of the ledger .* is gone after it was written"):
        five.append(trial(9))


@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
def test_a_ledger_behind_a_link_is_refused(five, tmp_path, suffix):
    there = tmp_path / "elsewhere"
    there.mkdir()
    file = five.path.with_name(f"ledger.db{suffix}")
    (file if file.exists() else five.path).rename(there / "x") if not suffix else (there / "x").write_bytes(b"")
    file.symlink_to(there / "x")
    for use in (lambda: five.append(trial(9)), five.check, five.confirm):
        with pytest.raises(
            LedgerError, match=f"ledger.db{suffix} is a symbolic link to .* Put the ledger's file itself there"
        ):
            use()


def test_a_run_of_a_worktree_shares_its_checkouts_ledger_through_a_link_and_through_no_other(tmp_path):
    for folder in ("user_data", "user_data/worktrees/run/user_data", "user_data/worktrees/other/user_data"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    shared = Ledger(tmp_path / "user_data/ledger.db")
    shared.append(trial(1))
    mine = tmp_path / "user_data/worktrees/run/user_data/ledger.db"
    mine.symlink_to("../../../ledger.db")
    assert Ledger(mine).append(trial(2)) == 2
    assert shared.n_trials("c1") == 2 and shared.check() == []
    theirs = tmp_path / "user_data/worktrees/other/user_data/ledger.db"
    theirs.symlink_to("../../run/user_data/ledger.db")
    with pytest.raises(LedgerError, match="is a symbolic link"):
        Ledger(theirs).append(trial(3))


def test_what_has_begun_is_a_try_and_no_trial_until_it_has_ended(ledger):
    ledger.begin(trial(1), EVALUATION)
    assert ledger.trials("c1") == [] and ledger.n_trials("c1") == 1
    assert ledger.answer("c1", f"{1:064d}") is None
    ledger.append(trial(1, result='"done"'))
    ledger.begin(trial(1), EVALUATION)
    assert len(ledger.trials("c1")) == 1 and ledger.n_trials("c1") == 1
    assert ledger.answer("c1", f"{1:064d}") == '"done"'


def test_what_was_refused_for_its_text_is_recorded_and_no_try(ledger):
    ledger.append(trial(1, error_kind="RefusedError", result='"refused"'))
    assert [t.error_kind for t in ledger.trials("c1")] == ["RefusedError"]
    assert ledger.n_trials("c1") == 0 and ledger.tries() == []


def test_the_newest_answer_is_given(ledger):
    sha256 = f"{1:064d}"
    for result in ("old", "new"):
        ledger.append(trial(1, result=json.dumps(result)))
    ledger.append(trial(2, result='"of another source"'))
    assert ledger.answer("c1", sha256) == '"new"'


def test_a_failure_is_answered_and_a_limit_is_asked_again(ledger):
    ledger.append(trial(1, error_kind="StrategyError", result='"failed"'))
    ledger.append(trial(2, error_kind="LimitError", result='"too slow"'))
    ledger.append(trial(1, error_kind="LimitError", result='"too slow today"'))
    assert ledger.answer("c1", f"{1:064d}") == '"failed"'
    assert ledger.answer("c1", f"{2:064d}") is None


def test_an_answer_under_another_contract_is_none(ledger):
    ledger.append(trial(1, contract="c1", result='"first"'))
    assert ledger.answer("c2", f"{1:064d}") is None
    ledger.append(trial(1, contract="c2", result='"second"'))
    assert ledger.answer("c1", f"{1:064d}") == '"first"'


def test_a_contract_is_no_answer_and_no_trial(ledger):
    ledger.append(trial(1, kind="contract"))
    assert ledger.answer("c1", f"{1:064d}") is None
    assert ledger.n_trials("c1") == 0
    assert ledger.trials("c1") == []
    assert ledger.last_contract() == "c1"


def test_trials_are_counted_by_source_and_contract(ledger):
    for number, contract in [(1, "c1"), (1, "c1"), (2, "c1"), (3, "c2"), (1, "c2")]:
        ledger.append(trial(number, contract=contract, strategy="same name"))
    ledger.append(trial(4, error_kind="LimitError"))
    assert ledger.n_trials("c1") == 3  # failed ones included
    assert ledger.n_trials("c2") == 2
    assert ledger.n_trials("c3") == 0
    assert [t.sha256[-1] for t in ledger.trials("c1")] == ["1", "1", "2", "4"]


def test_the_last_contract_is_the_newest_entrys(five):
    five.append(trial(9, contract="c2"))
    assert five.last_contract() == "c2"


def test_a_name_that_is_no_text_is_recorded_all_the_same(ledger):
    """A file name that is not UTF-8 reaches Python with lone surrogates in it."""
    ledger.append(trial(strategy="x\udcff"))
    assert ledger.trials("c1")[0].strategy == "x?"
    assert ledger.check() == []


def test_returns_are_stored_as_little_endian_doubles():
    assert returns_bytes((1.0,)) == b"\0\0\0\0\0\0\xf0\x3f"
    assert returns_bytes(()) == b""
