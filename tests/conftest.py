"""What several test files need, and which tests run when: docs/testing.md."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"
SHARED = "TOUCHSTONE_TESTS"
"""Environment variable: the folder that all processes of a test run share."""


@pytest.fixture(scope="session")
def market_data() -> Path:
    """
    Real candles, which lie beside the repository and are never part of it. Without them tests skip; in CI they fail.
    """
    folder = ROOT.parent / "shared" / "market-data"
    if not folder.is_dir():
        message = f"no real candles: {folder.parent.name}/{folder.name} is not beside the repository"
        pytest.fail(message) if CI else pytest.skip(message)
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Without -m: tests without the mark of a tier, in CI the slow ones too. Files with slow tests come first, so that no
    process is left alone with a long one at the end.
    """
    slow = {item.path for item in items if "slow" in item.keywords}
    items.sort(key=lambda item: item.path not in slow)
    if config.getoption("-m"):
        return
    left_out = [item for item in items if not _is_default(item)]
    items[:] = [item for item in items if _is_default(item)]
    config.hook.pytest_deselected(items=left_out)


def _is_default(item: pytest.Item) -> bool:
    return (CI and "slow" in item.keywords) or not {"slow", "nightly"} & set(item.keywords)


def pytest_configure(config: pytest.Config) -> None:
    """
    A folder that all processes of a run share: prepared arenas, and the user's directories of configuration and cache,
    so that keys of test arenas never reach the user's own. The processes of xdist have folders of their own below one.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is deaf to it
    # whatever the environment says: to compile all tests takes half of the time until the first one runs
    sys.dont_write_bytecode = False
    if hasattr(config, "workerinput"):
        return  # inherited from the process that started it
    folder = tempfile.mkdtemp(prefix="touchstone-tests-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ[SHARED] = folder
    os.environ["XDG_CONFIG_HOME"] = str(Path(folder, "config"))


@pytest.fixture(scope="session")
def prepared_repository() -> Path:
    """A prepared repository for drive.py, to be copied by those who change it."""
    from arenas import made_once
    from driven import repository

    return made_once("a repository for drive.py", lambda folder: repository(folder / "repo")) / "repo"


@pytest.fixture
def repo(prepared_repository: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(prepared_repository, tmp_path / "repo", symlinks=True)
    return tmp_path / "repo"
