"""A record of two writers and two keys that ended as it should, made once."""

import shutil
from pathlib import Path

import pytest

from tests.support.tampering import make


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It; nobody changes it."""
    folder = tmp_path_factory.mktemp("original")
    return make(folder / "recordings", folder / "state")


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(original, tmp_path / "copy")
