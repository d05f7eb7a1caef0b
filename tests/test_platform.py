"""One catalog for both platforms: what a laptop and Databricks differ in is on a list."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from omegaconf.errors import InterpolationResolutionError

from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.hooks.session import lock_folder
from lakehouse_ml.platform import PLATFORM_VARIABLE, platform
from lakehouse_ml.settings import CONFIG_LOADER_ARGS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
ENVIRONMENTS = sorted(path.parent.name for path in CONF.glob("*/globals.yml") if path.parent.name != "base")
# Whole values, or the beginnings of paths; the longest that fits counts.
DIFFERENCES = {
    "local": "databricks",
    "data/01_raw/{env}": "/Volumes/{env}/bronze/landing",
    "data/lakehouse/{env}/_state": "/Volumes/{env}/ops/state",
    "data/lakehouse/{env}/_checkpoints": "/Volumes/{env}/ops/state/checkpoints",
    "data/reporting/{env}": "/Volumes/{env}/ops/reporting",
    "sqlite:///data/mlflow/{env}.db": "databricks",
    "sqlite:///data/mlflow/registry.db": "databricks-uc",
    "data/mlflow/artifacts/{env}": None,
    "{env}": "/Applications/lakehouse_ml/{env}/training",
    "binaryFile": "cloudFiles",
}
AUTO_LOADER = {
    "cloudFiles.format": "binaryFile",
    "cloudFiles.schemaEvolutionMode": "none",
    "cloudFiles.includeExistingFiles": "true",
    "cloudFiles.allowOverwrites": "false",
    "pathGlobFilter": "*.jsonl.gz",
}


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(env: str, on: str | None) -> OmegaConfigLoader:
        monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
        monkeypatch.delenv(PLATFORM_VARIABLE, raising=False)
        if on is not None:
            monkeypatch.setenv(PLATFORM_VARIABLE, on)
        return OmegaConfigLoader(str(CONF), env=env, **CONFIG_LOADER_ARGS)

    return make


@pytest.fixture(scope="module")
def names() -> list[str]:
    """Every dataset of every pipeline, but for parameters."""
    bootstrap_project(ROOT)
    from lakehouse_ml.pipeline_registry import register_pipelines

    found = {name for pipeline in register_pipelines().values() for name in pipeline.datasets()}
    return sorted(name for name in found if not name.startswith("params:"))


def resolved(loader: OmegaConfigLoader, names: list[str]) -> dict[str, Any]:
    """What conf says of every dataset and of MLflow, with its patterns resolved."""
    resolver = DataCatalog.from_config(loader["catalog"]).config_resolver
    return {**{name: resolver.resolve_pattern(name) for name in names}, "mlflow": loader["mlflow"]}


def leaves(value: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, *path, key)
    else:
        yield path, value


def on_databricks(value: Any, env: str, used: set[str]) -> Any:
    """What the list makes of a local value."""
    known = {text.format(env=env): text for text in DIFFERENCES}
    fits = [
        text for text in known if value == text or (isinstance(value, str) and value.startswith(f"{text}/"))
    ]
    if not fits:
        return value
    longest = max(fits, key=len)
    used.add(known[longest])
    there = DIFFERENCES[known[longest]]
    return None if there is None else there.format(env=env) + value.removeprefix(longest)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_dataset_differs_between_the_platforms_in_what_is_on_the_list_only(
    env: str, loader: Any, names: list[str]
) -> None:
    here, there = (dict(leaves(resolved(loader(env, on), names))) for on in ("local", "databricks"))
    options = {path for path in here.keys() | there.keys() if path[-2:-1] == ("options",)}
    same_in_both = {path: value for path, value in here.items() if path not in options}
    used: set[str] = set()
    expected = {
        # The environment's name is a name of its own but for the experiment, which is a path over there.
        path: value
        if value == env and path[-2:] != ("experiment", "name")
        else on_databricks(value, env, used)
        for path, value in same_in_both.items()
    }
    assert {path: value for path, value in there.items() if path not in options} == expected
    assert used == set(DIFFERENCES), "the list holds what does not differ"
    sources = {path[0] for path in options}
    assert len(sources) > 5
    for source in sources:
        found = {path[-1]: value for path, value in there.items() if path in options and path[0] == source}
        assert found == AUTO_LOADER


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_table_is_a_name_of_three_levels_in_the_environments_catalog(
    env: str, loader: Any, names: list[str]
) -> None:
    catalog = DataCatalog.from_config(loader(env, "databricks")["catalog"])
    tables = {name: d for name in names if isinstance(d := catalog.get(name), DeltaTable)}
    assert len(tables) > 30
    for name, dataset in tables.items():
        schema, table = dataset.table.split(".")
        assert dataset.identifier == f"`{env}`.{schema}.{table}", name


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_parameters_do_not_know_the_platform(env: str, loader: Any) -> None:
    assert loader(env, "local")["parameters"] == loader(env, "databricks")["parameters"]


def test_nothing_said_is_a_laptop(loader: Any) -> None:
    assert loader("prod", None)["globals"]["platform"] == "local"


def test_nothing_said_on_a_machine_of_databricks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PLATFORM_VARIABLE, raising=False)
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "client.6.0")
    with pytest.raises(
        ValueError, match=f"{PLATFORM_VARIABLE} is not set, and this is a machine of Databricks"
    ):
        platform()
    monkeypatch.setenv(PLATFORM_VARIABLE, "local")
    assert platform() == "local"


def test_a_platform_that_does_not_exist_is_refused_with_those_that_do(loader: Any) -> None:
    with pytest.raises(InterpolationResolutionError, match="must be local or databricks, is 'databrick'"):
        loader("dev", "databrick")


def test_the_lock_lies_beside_the_tables_and_never_on_a_volume(loader: Any) -> None:
    assert lock_folder(loader("dev", "local")["globals"]) == Path("data/lakehouse/dev")
    there = lock_folder(loader("dev", "databricks")["globals"])
    assert there.name == "dev"
    assert "Volumes" not in there.parts
