"""
The run's own worktree: settled to one commit from any state, with the checkout and everything else in the repository as
they were.
"""

import os
import shutil
import subprocess

import pytest
from builders import arena
from driven import git, source, untouched

from arena.errors import ArenaError
from arena.ledger import data_lock
from arena.ledger.strategy_files import FOLDER
from loop import git as ours
from loop.worktree import SHARED, Worktree, tags


@pytest.fixture
def repo(tmp_path):
    """A repository that ignores nothing, with a strategy in its first commit."""
    made = (tmp_path / "repo").resolve()
    (made / FOLDER).mkdir(parents=True)
    arena(made)
    (made / FOLDER / "Alpha.py").write_text(source("Alpha"))
    git(made, "init", "-q")
    git(made, "add", ".")
    git(made, "commit", "-qm", "begin")
    (made / "user_data/data").mkdir()
    (made / data_lock.FILE).write_text("{}")
    return made


@pytest.fixture
def place(repo):
    made = Worktree(repo, "t")
    made.settle(git(repo, "rev-parse", "HEAD"))
    return made


def status(place):
    return place._git("status", "--porcelain")


def test_it_shares_data_lock_ledger_and_nudges_and_nothing_else(place):
    for name in SHARED:
        assert os.path.realpath(place.folder / name) == str(place.root / name)
    (place.folder / "results.tsv").write_text("x")
    place.settle(place.head())
    assert (place.folder / "results.tsv").read_text() == "x"
    assert status(place) == ""  # although the repository's own .gitignore knows nothing of it
    with data_lock.shared(place.folder), pytest.raises(ArenaError, match="under way"), data_lock.exclusive(place.root):
        pass  # a preparation waits for what is evaluated here


def test_a_commit_holds_what_was_asked_and_a_discard_takes_it_back(place):
    before, head = untouched(place.root), place.head()
    commit = place.commit({"Alpha": None, "Beta": "b = 'ä'\r\n"}, "round 1: create Beta\n\nBeta: why", head)
    assert git(place.root, "show", "--format=%P %B", "--name-status", commit).split() == [
        head, "round", "1:", "create", "Beta", "Beta:", "why", "D", "user_data/strategies/Alpha.py", "A",
        "user_data/strategies/Beta.py"
    ]  # fmt: skip
    assert (
        subprocess.run(["git", "show", f"{commit}:{FOLDER}/Beta.py"], cwd=place.root, capture_output=True).stdout
        == "b = 'ä'\r\n".encode()
    )
    place.discard(commit, head)
    place.discard(commit, head)
    assert (place.head(), place.branch_head()) == (head, head)
    assert sorted(file.name for file in (place.folder / FOLDER).iterdir()) == ["Alpha.py"]
    assert untouched(place.root) == before


def test_hooks_signatures_and_line_ends_of_the_users_set_up_do_not_matter(place):
    for hook in ("pre-commit", "commit-msg", "post-checkout", "post-commit", "reference-transaction"):
        (place.common / "hooks").mkdir(exist_ok=True)
        (place.common / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {place.root}/hooked\nexit 1\n")
        (place.common / "hooks" / hook).chmod(0o755)
    for key, value in (
        ("commit.gpgsign", "true"),
        ("core.autocrlf", "true"),
        ("gpg.program", "/bin/false"),
        ("core.excludesFile", "/dev/null"),
    ):
        git(place.root, "config", key, value)
    commit = place.commit({"Beta": "x = 1\n"}, "round 1", place.head())
    place.settle(commit)
    assert (place.folder / FOLDER / "Beta.py").read_bytes() == b"x = 1\n"
    assert not (place.root / "hooked").exists()


def test_variables_that_lead_git_elsewhere_do_not_matter(place, monkeypatch, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    for name, value in (("GIT_DIR", other / ".git"), ("GIT_WORK_TREE", other), ("GIT_INDEX_FILE", other / "index")):
        monkeypatch.setenv(name, str(value))
    place.commit({"Beta": "x = 1\n"}, "round 1", place.head())
    assert (place.folder / FOLDER / "Beta.py").exists() and not (other / "index").exists()


def half_registered(place):
    """A `git worktree add` that was killed: locked, without a head, its folder half there."""
    entry = place._entry()
    (entry / "HEAD").unlink()
    (entry / "locked").write_text("initializing")
    (place.folder / "config.json").unlink()


def a_rebase_under_way(place):
    (place._entry() / "rebase-merge").mkdir()
    (place._entry() / "rebase-merge" / "head-name").write_text("x")


def hidden_change(place):
    git(place.folder, "update-index", "--skip-worktree", "config.json")
    (place.folder / "config.json").write_text("{}")


def folder_as_link(place):
    shutil.rmtree(place.folder / FOLDER)
    (place.folder / FOLDER).symlink_to("/tmp")


@pytest.mark.parametrize(
    "harm", [half_registered, a_rebase_under_way, hidden_change, folder_as_link], ids=lambda harm: harm.__name__
)
def test_it_is_settled_from_any_state(place, harm):
    head = place.head()
    (place.folder / "results.tsv").write_text("mine")
    harm(place)
    Worktree(place.root, "t").settle(head)
    assert status(place) == "" and place.head() == head
    assert (place.folder / "results.tsv").read_text() == "mine"
    assert (place.folder / FOLDER / "Alpha.py").read_text() == source("Alpha")
    assert git(place.folder, "symbolic-ref", "HEAD") == "refs/heads/autoresearch/t"
    assert not (place._entry() / "rebase-merge").exists()
    assert len(git(place.root, "worktree", "list").splitlines()) == 2


def test_other_worktrees_are_left_alone_even_where_their_folder_is_away(place, tmp_path):
    git(place.root, "worktree", "add", "-q", "-b", "away", str(tmp_path / "away"))
    (tmp_path / "away").rename(tmp_path / "unplugged")
    shutil.rmtree(place.folder)
    place.settle(place.branch_head())
    assert "away" in git(place.root, "worktree", "list")


def test_a_branch_that_is_checked_out_elsewhere_is_refused(repo, tmp_path):
    git(repo, "checkout", "-qb", "autoresearch/t")
    with pytest.raises(ArenaError, match="is checked out in .*repo. Check out another one there"):
        Worktree(repo, "t").settle(git(repo, "rev-parse", "HEAD"))
    assert not (repo / "user_data/worktrees/t").exists()


def test_what_changed_is_told_whatever_index_and_branch_say(place):
    head = place.head()
    hidden_change(place)
    (place.folder / "new.txt").write_text("x")
    (place.folder / FOLDER / "Alpha.py").write_text("strategies are not told")
    (place.folder / FOLDER / "_hidden.py").write_text("this is")
    git(place.folder, "checkout", "-q", "--orphan", "other")
    assert place.changed(head) == ["config.json", "new.txt", f"{FOLDER}/_hidden.py"]


def test_contract_files_are_taken_over_from_the_checkout_in_a_commit(place):
    (place.root / "config.json").write_text((place.root / "config.json").read_text() + "\n")
    (place.root / "arena").mkdir()
    (place.root / "arena/new.py").write_text("x = 1\n")
    head = place.head()
    taken = place.take_over()
    assert git(place.root, "diff", "--name-only", head, taken).split() == ["arena/new.py", "config.json"]
    assert (place.take_over(), status(place)) == (taken, "")


def test_a_worktree_of_a_worktree_belongs_to_the_same_repository(repo, tmp_path):
    second = (tmp_path / "second").resolve()
    git(repo, "worktree", "add", "-q", "-b", "second", str(second))
    (second / data_lock.FILE).write_text("{}")
    place = Worktree(second, "t")
    place.settle(git(second, "rev-parse", "HEAD"))
    assert place.common == repo / ".git" and place.folder.is_relative_to(second)
    assert status(place) == "" and tags(repo) == ["t"]


def test_a_folder_inside_another_repository_is_none_of_its_own(repo):
    inner = repo / "inner"
    inner.mkdir()
    with pytest.raises(ArenaError, match="is no git repository of its own"):
        ours.repository(inner)


def test_without_git_it_is_said(repo, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ArenaError, match="git is not installed"):
        ours.repository(repo)
