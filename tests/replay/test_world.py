"""A replay's own environments: values of the project's, places of its own, and nothing written to the data part."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from pyspark.sql import SparkSession

from lakehouse_ml.datasets import DeltaTable, RecordedTable, RecordedVersions
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.pipeline_registry import register_pipelines
from lakehouse_ml.replay.code import refuse_other_code
from lakehouse_ml.replay.policies import POLICIES
from lakehouse_ml.replay.steps import ReplayError, Step
from lakehouse_ml.replay.story import _read
from lakehouse_ml.replay.world import DATA, ROOTS, World, build_world

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STAGES = ("training", "evaluation", "promotion", "inference", "monitoring")


@pytest.fixture
def world(tmp_path: Path) -> World:
    bootstrap_project(ROOT)
    shutil.copytree(ROOT / "conf", tmp_path / "project/conf")
    return World(tmp_path / "replay", tmp_path / "project")


def built(world: World, env: str = "dev", incidents: str = "") -> World:
    build_world(world, env, tuple(POLICIES), incidents)
    return world


def loader_of(world: World, environment: str) -> OmegaConfigLoader:
    return OmegaConfigLoader(str(world.conf), env=environment, **settings.CONFIG_LOADER_ARGS)


def catalog_of(world: World, environment: str) -> DataCatalog:
    return DataCatalog.from_config(loader_of(world, environment)["catalog"])


@pytest.mark.parametrize("environment", [DATA, *POLICIES])
def test_every_place_lies_in_the_replays_folder(world: World, environment: str) -> None:
    loader = loader_of(built(world), environment)
    roots = {name: value for name, value in loader["globals"].items() if name.endswith("_root")}
    places = {name: root for name, root in roots.items() if name.removesuffix("_root") in ROOTS}
    assert all(root.startswith(str(world.folder)) for root in places.values()), places
    assert loader["globals"]["catalog"] == environment
    resolved = yaml.safe_dump({"catalog": loader["catalog"], "mlflow": loader["mlflow"]})
    base = yaml.safe_load((ROOT / "conf/base/globals.yml").read_text())
    assert not [root for root in ROOTS if base[f"{root}_root"] in resolved]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_writes_only_its_own_tables_and_reads_the_data_part_as_recorded(
    world: World, policy: str
) -> None:
    catalog, pipelines = catalog_of(built(world), policy), register_pipelines()
    written = {name for stage in STAGES for name in pipelines[stage].outputs()}
    read = {name for stage in STAGES for name in pipelines[stage].inputs()}
    for name in sorted(written | read):
        dataset = catalog.get(name)
        if isinstance(dataset, DeltaTable):
            assert dataset.lakehouse.catalog == policy, name
        if isinstance(dataset, RecordedTable):
            assert dataset.source.lakehouse.catalog == DATA, name
            assert name not in written
    layers = {
        name for name in read if name.startswith(("gold_", "silver_", "recorded_", "ops_ingestion_log"))
    }
    assert layers
    assert all(isinstance(catalog.get(name), RecordedTable) for name in layers - written)
    assert all(isinstance(catalog.get(name), RecordedVersions) for name in read if "versions" in name)


def test_a_policy_that_never_had_a_champion_left_a_story_of_nothing(
    spark: SparkSession, world: World
) -> None:
    catalog = catalog_of(built(world), "never")
    catalog["gold_labels"] = spark.createDataFrame([], USE_CASE.labels.contract.ddl)
    context, step = SimpleNamespace(catalog=catalog), Step("run-1", datetime(2013, 4, 1, tzinfo=UTC), {}, 1.0)
    found = _read(context, "never", [step], USE_CASE)  # type: ignore[arg-type]
    assert (len(found.scored), len(found.alerts), found.trainings, found.held_back) == (0, 0, [], {})


def test_values_of_the_environment_hold_but_for_those_of_a_replay(world: World) -> None:
    parameters = loader_of(built(world, "test"), "monthly")["parameters"]
    own = yaml.safe_load((world.project_path / "conf/replay/parameters.yml").read_text())
    assert parameters["training"]["holdout_days"] == 21
    assert parameters["training"]["tuning"]["days"] == 14
    assert parameters["training"]["tuning"]["trials"] == own["training"]["tuning"]["trials"]
    assert loader_of(world, "monthly")["globals"]["alert_routes"] == ["file"]


def test_nobody_is_waited_for_where_a_person_approves(world: World) -> None:
    rules = loader_of(built(world, "prod"), "monthly")["parameters"]["promotion"]["rules"]
    assert rules["approval"] == {"required": False, "shadow_rows_min": 0}


def test_a_replay_goes_on_with_the_values_that_it_began_with(world: World) -> None:
    built(world, incidents="[]")
    before = {path: path.read_text() for path in world.conf.rglob("*.yml")}
    built(world, incidents="[]")
    assert {path: path.read_text() for path in world.conf.rglob("*.yml")} == before


@pytest.mark.parametrize(
    "changed",
    ["base/parameters_monitoring.yml", "base/catalog.yml", "replay/parameters.yml", "dev/globals.yml"],
)
def test_other_values_than_it_began_with_are_refused_by_name(world: World, changed: str) -> None:
    built(world)
    path = world.project_path / "conf" / changed
    path.write_text(path.read_text() + "\nseven: 7\n")
    with pytest.raises(ReplayError, match=r"was begun with other values, in .*remove the folder"):
        built(world)


def test_values_that_are_gone_since_are_refused_by_name(world: World) -> None:
    built(world)
    (world.project_path / "conf/base/parameters_serving.yml").unlink()
    with pytest.raises(ReplayError, match=r"other values, in base/parameters_serving\.yml: take them back"):
        built(world)


def test_the_code_that_it_begins_with_is_on_record(world: World) -> None:
    refuse_other_code(built(world).folder)


def test_other_incidents_than_it_began_with_are_refused(world: World) -> None:
    built(world, incidents="[]")
    with pytest.raises(ReplayError, match=r"incidents\.yml"):
        built(world, incidents="")


def test_a_configuration_that_a_kill_left_half_written_is_begun_anew(world: World) -> None:
    (world.folder / "_conf/base").mkdir(parents=True)
    (world.folder / "_conf/base/old.yml").write_text("old: true")
    assert not (built(world).conf / "base/old.yml").exists()


def test_a_platform_without_folders_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ML_PLATFORM", "databricks")
    with pytest.raises(ReplayError, match="platform of dev is databricks"):
        built(world)
