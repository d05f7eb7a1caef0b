"""The project built once for all tests of what is built."""

import shutil
from pathlib import Path

import pytest

from deploy_builders import build, committed_copy


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of this project, committed, with secrets where they may be, and built."""
    return build(committed_copy(tmp_path_factory.mktemp("packaged") / "project"))


@pytest.fixture
def checkout(packaged: Path, tmp_path: Path) -> Path:
    """A copy of the built project, to be spoilt."""
    return Path(shutil.copytree(packaged, tmp_path / "project", ignore=shutil.ignore_patterns("releases")))
