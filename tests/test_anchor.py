"""
Where a ledger ends is known outside of it: after it is deleted, cut short or exchanged, and after its checkout is
moved, cloned or copied.
"""

import json
import shutil
import sqlite3
import subprocess

import pytest

from arena.errors import LedgerError
from arena.ledger import anchor
from arena.ledger.store import LEDGER, Entry, Ledger


def written(root, n=5, first=0):
    """A checkout's ledger with so many trials."""
    (root / "user_data").mkdir(parents=True, exist_ok=True)
    book = Ledger(root / LEDGER)
    for number in range(first, first + n):
        book.append(Entry("trial", "c1", f"S{number}", f"{number:064d}", result='{"look": {"asked": false}}'))
    return book


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


@pytest.fixture
def elsewhere(monkeypatch):
    """Another configuration directory."""

    def use(folder):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))

    return use


def edit(root, statement):
    db = sqlite3.connect(root / LEDGER)
    db.execute(statement)
    db.commit()
    db.close()


def rows(book):
    return [row.sha256 for row in book.tries()]


HARMS = {
    "deleted": (lambda root, old: (root / LEDGER).unlink(), "there is no ledger at .*; its entry 5 was written on 20"),
    "emptied": (
        lambda root, old: (root / LEDGER).write_bytes(b""),
        "there is no ledger at .*, or it is empty; its entry 5 was written",
    ),
    "an older copy": (
        lambda root, old: shutil.copy(old, root / LEDGER),
        "the ledger ends at entry 2, entry 5 was written on 20",
    ),
    "cut short": (
        lambda root, old: edit(root, "DELETE FROM entries WHERE number > 3"),
        "the ledger ends at entry 3, entry 5 was written",
    ),
    "another one": (
        lambda root, old: exchanged(root),
        "is another one: entry 5 was written on .*, and it does not hold that one",
    ),
    "thinned out": (
        lambda root, old: edit(root, "DELETE FROM entries WHERE number = 2"),
        "not as it was written: entry 2 is missing",
    ),
}


def exchanged(root):
    other = written(root.parent / "other", n=7, first=100)
    (root / LEDGER).unlink()
    shutil.copy(other.path, root / LEDGER)


@pytest.mark.parametrize("place", ["both", "configuration alone", "git alone"])
@pytest.mark.parametrize("harm", HARMS)
def test_a_ledger_that_is_not_what_was_written_is_told_and_nothing_is_appended(
    checkout, elsewhere, tmp_path, harm, place
):
    old = tmp_path / "old.db"
    shutil.copy(written(checkout, 2).path, old)
    book = written(checkout, 3, first=2)
    if place == "configuration alone":
        (checkout / ".git" / anchor.GIT_FILE).unlink()
    if place == "git alone":
        elsewhere(tmp_path / "fresh")
    change, words = HARMS[harm]
    change(checkout, old)
    with pytest.raises(LedgerError, match=words) as told:
        book.confirm()
    assert "Put the newest ledger.db back. If it is gone, `uv run prepare.py --ledger-lost` goes on" in str(told.value)
    if harm != "thinned out":
        with pytest.raises(LedgerError, match=words):
            book.append(Entry("contract", "c2"))


@pytest.mark.parametrize(
    ("harm", "lost"), [("deleted", 5), ("an older copy", 3), ("cut short", 2), ("another one", 5), ("thinned out", 1)]
)
def test_an_accepted_loss_keeps_the_number_of_trials_and_is_asked_about_once(checkout, tmp_path, harm, lost):
    old = tmp_path / "old.db"
    shutil.copy(written(checkout, 2).path, old)
    book = written(checkout, 3, first=2)
    HARMS[harm][0](checkout, old)
    before = rows(book)
    assert book.accept_loss() == lost
    book.confirm()
    assert rows(book) == before, "nothing of what is there is lost"
    assert book.accept_loss() == 0
    written(checkout, 1, first=50)
    edit(checkout, "DELETE FROM entries WHERE number = (SELECT MAX(number) FROM entries)")
    with pytest.raises(LedgerError, match="the ledger ends at entry"):
        book.confirm()
    assert book.accept_loss() == 1


def test_a_loss_after_a_loss_counts_both(checkout):
    book = written(checkout, 5)
    for _ in range(2):
        (checkout / LEDGER).unlink()
        assert book.accept_loss() == 5


def test_a_place_that_could_not_be_written_does_not_ask_again_after_a_loss_was_accepted(checkout, elsewhere, tmp_path):
    book = written(checkout, 5)
    kept = (checkout / ".git" / anchor.GIT_FILE).read_bytes()
    (checkout / LEDGER).unlink()
    book.accept_loss()
    (checkout / ".git" / anchor.GIT_FILE).write_bytes(kept)
    book.confirm()


def test_a_moved_checkout_goes_on_and_its_ledger_is_missed_there(checkout, tmp_path):
    written(checkout)
    moved = checkout.rename(tmp_path / "moved")
    book = Ledger(moved / LEDGER)
    book.confirm()
    written(moved, 1, first=5)
    (moved / LEDGER).unlink()
    with pytest.raises(LedgerError, match="its entry 6 was written"):
        book.confirm()
    again = moved.rename(tmp_path / "again")
    with pytest.raises(LedgerError, match="its entry 6 was written"):
        Ledger(again / LEDGER).confirm()


def test_a_clone_and_a_copy_begin_as_they_are_and_each_goes_its_own_way(checkout, tmp_path):
    written(checkout)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True, capture_output=True)
    Ledger(clone / LEDGER).confirm()
    assert rows(written(clone, 1)) == [f"{0:064d}"]
    copy = shutil.copytree(checkout, tmp_path / "copy")
    for number in range(3):  # in turns
        for root in (checkout, copy, clone):
            written(root, 1, first=10 + number).confirm()
    assert [len(Ledger(root / LEDGER).tries()) for root in (checkout, copy, clone)] == [8, 8, 4]


def test_a_ledger_of_before_is_taken_as_it_is_and_held_to_from_then_on(checkout):
    book = written(checkout)
    anchor.forget(book.path)
    book.confirm()
    assert [known.number for known in anchor.known(book.path)] == [5, 5]


def test_a_put_back_ledger_is_what_was_written(checkout, tmp_path):
    book = written(checkout)
    shutil.copy(book.path, tmp_path / "backup.db")
    book.path.unlink()
    with pytest.raises(LedgerError):
        book.confirm()
    shutil.copy(tmp_path / "backup.db", book.path)
    book.confirm()
    assert written(checkout, 1, first=5).check() == []


def test_without_a_place_that_can_be_written_it_records_all_the_same(tmp_path, elsewhere):
    (tmp_path / "a file").write_text("")
    elsewhere(tmp_path / "a file")
    book = written(tmp_path / "plain")
    book.confirm()
    assert len(book.tries()) == 5 and anchor.known(book.path) == []


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '{"ledger": 1}', "{}", '{"ledger": "x", "number": "9", "hash": "", "time": "", "trials": 1}'],
)
def test_a_damaged_place_says_nothing_and_the_other_holds(checkout, text):
    book = written(checkout)
    (checkout / ".git" / anchor.GIT_FILE).write_text(text)
    assert [known.number for known in anchor.known(book.path)] == [5]
    book.confirm()
    assert json.loads((checkout / ".git" / anchor.GIT_FILE).read_text())["number"] == 5


def test_the_ledgers_end_is_known_before_the_next_row_and_trials_are_counted_once(checkout):
    book = written(checkout, 2)
    book.append(Entry("trial", "c2", "S0", f"{0:064d}"))
    book.append(Entry("trial", "c2", "Refused", "f" * 64, error_kind="RefusedError"))
    (known, _) = anchor.known(book.path)
    assert (known.number, known.hash, known.trials) == (4, book.head(), 2)
