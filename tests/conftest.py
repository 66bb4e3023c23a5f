"""What several test files need."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Real candles, which lie beside the repository and are never part of it. Without them tests skip; in CI they fail."""
    folder = ROOT.parent / "shared" / "market-data"
    if not folder.is_dir():
        message = f"no real candles: {folder.parent.name}/{folder.name} is not beside the repository"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs minutes runs in CI, and elsewhere when it is asked for: `pytest -m slow`."""
    if os.environ.get("CI") == "true" or config.getoption("-m"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs minutes: -m slow, or CI=true"))


@pytest.fixture(scope="session", autouse=True)
def own_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys of test arenas never reach the user's configuration directory."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session")
def prepared_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared repository for drive.py, to be copied by those who change it."""
    from driven import repository

    return repository(tmp_path_factory.mktemp("prepared") / "repo")


@pytest.fixture
def repo(prepared_repository: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(prepared_repository, tmp_path / "repo", symlinks=True)
    return tmp_path / "repo"
