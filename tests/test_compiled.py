"""Compiled code: one folder for each state of the sources, the user's alone, used by every function that is kept."""

import shutil

import pytest
from conftest import ROOT

from arena import compiled, equity, replay_loop
from arena.compiled import MODULES


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A user's cache directory of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled.folder.cache_clear()
    yield tmp_path
    compiled.folder.cache_clear()


@pytest.mark.parametrize("name", MODULES)
def test_a_change_of_any_compiled_module_is_another_state(name, tmp_path):
    for module in MODULES:
        shutil.copy(ROOT / "arena" / module, tmp_path)
    assert compiled.state(tmp_path) == compiled.state(ROOT / "arena")
    with (tmp_path / name).open("a") as file:
        file.write("A = 1\n")
    assert compiled.state(tmp_path) != compiled.state(ROOT / "arena")


def test_every_module_with_compiled_code_is_part_of_the_state():
    using = {file.name for file in (ROOT / "arena").rglob("*.py") if "@kept" in file.read_text() or "@inlined" in file.read_text()}
    assert using <= set(MODULES)
    assert not [file for file in (ROOT / "arena").rglob("*.py") if "from numba" in file.read_text() and file.name != "compiled.py"]


def test_functions_that_are_kept_lie_in_the_folder():
    for function in (replay_loop.run, equity.of_trades, equity.sharpe):
        assert function._cache.cache_path == str(compiled.folder())


def test_the_folder_is_the_users_own(cache):
    folder = compiled.folder()
    assert folder.parent == cache / "touchstone" / "compiled"
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("where", ["touchstone", "touchstone/compiled"])
def test_a_folder_that_others_may_write_to_is_not_used(cache, where):
    place = cache / where
    place.mkdir(parents=True)
    place.chmod(0o777)
    assert cache not in compiled.folder().parents


def test_a_folder_behind_a_link_is_not_used(cache, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (cache / "touchstone").symlink_to(elsewhere)
    assert tmp_path not in compiled.folder().parents


def test_without_a_cache_directory_code_is_kept_for_this_process(cache, monkeypatch):
    (cache / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "file"))
    assert compiled.folder().name.startswith("touchstone-compiled-")
