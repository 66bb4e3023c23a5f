"""Compiled code: one folder for each state of the sources, the user's alone, used by every function that is kept."""

import shutil

import pytest
from conftest import ROOT

from arena.accounting import equity_curve
from arena.accounting.replay import loop
from arena.errors import ArenaError
from arena.startup import compiled, isolation
from arena.startup.compiled import MODULES


@pytest.fixture
def home(monkeypatch, tmp_path):
    """The private folder of a user who has nothing yet."""
    monkeypatch.setattr(isolation, "private", lambda name: str(tmp_path))
    compiled.folder.cache_clear()
    yield tmp_path
    compiled.folder.cache_clear()


@pytest.mark.parametrize("name", MODULES)
def test_a_change_of_any_compiled_module_is_another_state(name, tmp_path):
    for module in MODULES:
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "arena" / module, tmp_path / module)
    assert compiled.state(tmp_path) == compiled.state(ROOT / "arena")
    with (tmp_path / name).open("a") as file:
        file.write("A = 1\n")
    assert compiled.state(tmp_path) != compiled.state(ROOT / "arena")


def test_every_module_with_compiled_code_is_part_of_the_state():
    using = {
        file.relative_to(ROOT / "arena").as_posix()
        for file in (ROOT / "arena").rglob("*.py")
        if "@kept" in file.read_text() or "@inlined" in file.read_text()
    }
    assert using <= set(MODULES)
    assert not [
        file
        for file in (ROOT / "arena").rglob("*.py")
        if "from numba" in file.read_text() and file.name != "compiled.py"
    ]


def test_functions_that_are_kept_lie_in_the_folder():
    for function in (loop.run, equity_curve.of_trades, equity_curve.sharpe):
        assert function._cache.cache_path == str(compiled.folder())


def test_the_folder_is_the_users_own_and_no_variable_leads_elsewhere(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "elsewhere"))
    folder = compiled.folder()
    assert folder.parent == home
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_may_write_to_is_not_used(home):
    place = home / compiled.state(ROOT / "arena")
    place.mkdir()
    place.chmod(0o777)
    assert compiled.folder().name.startswith("touchstone-compiled-")


def test_a_folder_behind_a_link_is_not_used(home, tmp_path_factory):
    (home / compiled.state(ROOT / "arena")).symlink_to(tmp_path_factory.mktemp("elsewhere"))
    assert compiled.folder().name.startswith("touchstone-compiled-")


def test_without_a_private_folder_code_is_kept_for_this_process(home, monkeypatch):
    monkeypatch.setattr(isolation, "private", lambda name: None)
    assert compiled.folder().name.startswith("touchstone-compiled-")


def test_numbas_own_settings_are_refused(tmp_path):
    compiled.refuse_settings(tmp_path)
    (tmp_path / ".numba_config.yaml").write_text("disable_jit: 1\n")
    with pytest.raises(ArenaError, match=r"\.numba_config\.yaml would change how Numba compiles"):
        compiled.refuse_settings(tmp_path)
