"""What several test files need."""

import os
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
