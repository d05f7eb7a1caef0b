"""A replayed week: the data once for all policies, each policy's own decisions, and the same tables after a kill."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import toy
from equality import fingerprints
from lakehouse_ml.incidents import Poisoned, read_incidents
from lakehouse_ml.replay.comparison import Comparison, compare_policies
from lakehouse_ml.replay.page import write_page
from lakehouse_ml.replay.world import DATA, World
from processes import ROOT, kill
from replay_toy import BEGUN, FIRST, SECOND, copy_stores, play, shop_world, use_shop

MEDDLED = "[{name: poison, kind: poisoned, inverted_share: 1.0, from: 2024-02-26, until: 2024-02-27}]"
POISONS = tuple(one for one in read_incidents(MEDDLED) if isinstance(one, Poisoned))
DATA_TABLES = (
    "silver.visits",
    "silver.sales",
    "gold.visits",
    "gold.features",
    "gold.labels",
    "ops.ingestion_log",
    "ops.runs",
)
POLICY_TABLES = (
    "ops.runs", "ml.predictions", "ml.evaluations", "ml.trials", "ops.quality_windows", "ops.profile_metrics",
    "ops.drift_metrics", "ops.alerts", "ops.retrain_decisions",
)  # fmt: skip
DECIDED = (
    "sequence",
    "event",
    "decision",
    "as_of",
    "elected",
    "model_digest",
    "champion_before",
    "champion_after",
)


@pytest.fixture(scope="module")
def shop() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_shop(patch.setattr)
        yield
    use_shop(lambda *_: None)


@pytest.fixture(scope="module")
def before(
    spark: SparkSession, shop: None, mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The first step of the data part and of one policy."""
    world = shop_world(tmp_path_factory.mktemp("shop"))
    copy_stores(mlflow_template, world)
    play(world, [FIRST], "never")
    shutil.copytree(world.folder, world.folder.with_name("before"))
    return world


@pytest.fixture(scope="module")
def whole(spark: SparkSession, before: World) -> tuple[World, Comparison, float]:
    """The second step too, of all policies, without an interruption; where it lies, and the seconds of one policy."""
    nows = [FIRST, SECOND]
    started = time.monotonic()
    play(before, nows, "never")
    seconds = time.monotonic() - started
    play(before, nows, "triggered", poisons=POISONS)
    found = compare_policies(before, nows, read_incidents(MEDDLED), toy.USE_CASE)
    write_page(before, found, toy.USE_CASE.name)
    apart = World(before.folder.with_name("whole"), before.project_path)
    before.folder.rename(apart.folder)
    return apart, found, seconds


def rows(spark: SparkSession, world: World, environment: str, table: str, *columns: str) -> list[tuple]:
    frame = spark.read.format("delta").load(
        str(world.folder / "storage" / environment / table.replace(".", "/"))
    )
    return sorted(tuple(row) for row in frame.select(*columns).collect())


def test_the_data_part_is_played_once_for_all_policies(
    spark: SparkSession, whole: tuple[World, Comparison, float]
) -> None:
    world, _, _ = whole
    assert len(rows(spark, world, DATA, "ops.runs", "run_id")) == 2
    steps = world.done(DATA).all()
    for policy in ("never", "triggered"):
        assert not (world.folder / "storage" / policy / "gold").exists()
        done = world.done(policy).all()
        assert [(step.run_id, step.input_versions) for step in done] == [
            (step.run_id, step.input_versions) for step in steps
        ]
    assert steps[0].input_versions["gold.features"] < steps[1].input_versions["gold.features"]


def test_predictions_name_the_version_of_their_step(
    spark: SparkSession, whole: tuple[World, Comparison, float]
) -> None:
    world, _, _ = whole
    second = world.done(DATA).all()[1]
    found = set(rows(spark, world, "never", "ml.predictions", "features_version", "run_id"))
    assert found == {(second.input_versions["gold.features"], second.run_id)}


def test_each_policy_made_its_own_decisions(whole: tuple[World, Comparison, float]) -> None:
    _, found, _ = whole
    never, triggered = (found.stories[policy].trainings for policy in ("never", "triggered"))
    assert [(training.as_of, training.decision) for training in never] == [(FIRST, "promoted")]
    assert [training.as_of for training in triggered] == [FIRST, FIRST + (SECOND - FIRST), SECOND]


def test_the_gate_refuses_the_poisoned_model(whole: tuple[World, Comparison, float]) -> None:
    _, found, _ = whole
    assert found.stories["triggered"].trainings[-1].decision == "refused"
    (fate,) = found.fates["triggered"]
    assert fate.contained == SECOND
    assert "floor_" in fate.contained_by


def test_the_page_compares_what_was_played(whole: tuple[World, Comparison, float]) -> None:
    world, found, _ = whole
    assert list(found.stories) == ["never", "triggered"]
    page = (world.reporting / "replay.html").read_text()
    assert "shop · replay" in page
    assert found.rows == 7 * 200 - len(range(0))


def tables_of(spark: SparkSession, world: World) -> dict[str, object]:
    """What must be the same, whatever was killed: rows of the tables, and the decisions of the ledger."""
    storage = world.folder / "storage"
    return {
        **fingerprints(spark, storage / DATA, DATA_TABLES),
        **{
            f"never {name}": value
            for name, value in fingerprints(spark, storage / "never", POLICY_TABLES).items()
        },
        "ledger": rows(spark, world, "never", "ops.promotion_ledger", *DECIDED),
    }


def killed_after(world: World, seconds: float) -> bool:
    """Play the second step in a process of its own, and kill it so long after it began; whether it was at work."""
    command = [
        sys.executable,
        str(ROOT / "tests/replay_toy.py"),
        str(world.folder),
        str(world.project_path),
        "never",
    ]
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("src", "tests"))
    run = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": paths}, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert run.stdout is not None
    # Spark tells something first.
    assert any(line == f"{BEGUN}\n" for line in run.stdout)
    try:
        run.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(run)
        return True
    return False


def test_a_week_that_was_killed_and_begun_again_leaves_the_same_tables(
    spark: SparkSession, before: World, whole: tuple[World, Comparison, float], request: pytest.FixtureRequest
) -> None:
    expected = tables_of(spark, whole[0])
    shutil.copytree(before.folder.with_name("before"), before.folder)
    # What the session knows of the tables at this place is of another week.
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    moments = random.Random(request.config.getoption("--chaos-seed"))
    killed_after(before, moments.uniform(1.0, 2.5) * whole[2])
    play(before, [FIRST, SECOND], "never")
    assert tables_of(spark, before) == expected
