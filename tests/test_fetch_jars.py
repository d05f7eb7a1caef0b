"""Delta's jars are the pinned ones, and no others are taken."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pyspark
import pytest

from processes import ROOT


@pytest.fixture(scope="module")
def fetch_jars() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_jars", ROOT / "requirements/fetch_jars.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_jars_beside_sparks_own_are_the_pinned_ones(fetch_jars: ModuleType) -> None:
    jars = Path(pyspark.__file__).parent / "jars"
    pins = fetch_jars.pinned()
    assert any(name.startswith("delta-spark") for name in pins)
    for name, digest in pins.items():
        fetch_jars.checked((jars / name).read_bytes(), name, digest)


def test_a_jar_of_other_content_is_refused_by_name(fetch_jars: ModuleType) -> None:
    name, digest = next(iter(fetch_jars.pinned().items()))
    with pytest.raises(SystemExit, match=f"Jar {name} is not the one pinned"):
        fetch_jars.checked(b"another", name, digest)
