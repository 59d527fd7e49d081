"""Fixtures every level of tests uses."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None)  # a machine that others use too is slow at times
settings.load_profile("suite")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real channels beside the project; skips where it is absent."""
    if not (SHARED / "channels" / "conda-forge").is_dir():
        pytest.skip("the folder ../shared with real channels is not beside the project")
    return SHARED
