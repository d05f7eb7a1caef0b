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
from lakehouse_ml.replay.comparison import compare_policies
from lakehouse_ml.replay.page import write_page
from lakehouse_ml.replay.world import DATA, World
from processes import ROOT, kill
from replay_toy import BEGUN, FIRST, SECOND, copy_stores, play, shop_world, use_shop

MEDDLED = "[{name: poison, kind: poisoned, inverted_share: 1.0, from: 2024-02-20, until: 2024-02-21}]"
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


pytestmark = pytest.mark.loop


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
def whole(spark: SparkSession, before: World) -> tuple[World, float]:
    """The second step too, without an interruption, and the first one of another policy; the seconds of the second."""
    started = time.monotonic()
    play(before, [FIRST, SECOND], "never")
    seconds = time.monotonic() - started
    play(before, [FIRST], "triggered", poisons=POISONS)
    write_page(before, compare_policies(before, [FIRST, SECOND], POISONS, toy.USE_CASE), toy.USE_CASE.name)
    apart = World(before.folder.with_name("whole"), before.project_path)
    before.folder.rename(apart.folder)
    return apart, seconds


def rows(spark: SparkSession, world: World, environment: str, table: str, *columns: str) -> list[tuple]:
    frame = spark.read.format("delta").load(
        str(world.folder / "storage" / environment / table.replace(".", "/"))
    )
    return sorted(tuple(row) for row in frame.select(*columns).collect())


def test_the_data_part_is_played_once_for_all_policies(
    spark: SparkSession, whole: tuple[World, float]
) -> None:
    world, _ = whole
    steps = world.done(DATA).all()
    assert [run for (run,) in rows(spark, world, DATA, "ops.runs", "run_id")] == [
        step.run_id for step in steps
    ]
    assert steps[0].input_versions["gold.features"] < steps[1].input_versions["gold.features"]
    for policy, played in {"never": steps, "triggered": steps[:1]}.items():
        assert not (world.folder / "storage" / policy / "gold").exists()
        assert [(step.run_id, step.input_versions) for step in world.done(policy).all()] == [
            (step.run_id, step.input_versions) for step in played
        ]


def test_predictions_name_the_version_of_their_step(spark: SparkSession, whole: tuple[World, float]) -> None:
    world, _ = whole
    second = world.done(DATA).all()[1]
    found = set(rows(spark, world, "never", "ml.predictions", "features_version", "run_id"))
    assert found == {(second.input_versions["gold.features"], second.run_id)}


def test_each_policy_has_its_own_champion_and_the_gate_refuses_the_poisoned_model(
    spark: SparkSession, whole: tuple[World, float]
) -> None:
    decided = {
        policy: rows(
            spark, whole[0], policy, "ops.promotion_ledger", "sequence", "event", "decision", "reasons"
        )
        for policy in ("never", "triggered")
    }
    first = [(1, "decided", "promoted"), (2, "moved", "promoted")]
    assert [row[:3] for row in decided["never"]] == first
    assert [row[:3] for row in decided["triggered"]] == [*first, (3, "decided", "refused")]
    assert any("FAILED floor_roc_auc" in reason for reason in decided["triggered"][2][3])


def test_the_page_shows_what_was_played_to_the_end(whole: tuple[World, float]) -> None:
    page = (whole[0].reporting / "replay.html").read_text()
    assert "shop · replay" in page
    assert "Only never was played" in page
    # The first one is asked about as the second step begins.
    assert "measured on the same 1,399 predictions" in page.replace("\n", " ")


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
    spark: SparkSession, before: World, whole: tuple[World, float], request: pytest.FixtureRequest
) -> None:
    expected = tables_of(spark, whole[0])
    shutil.copytree(before.folder.with_name("before"), before.folder)
    # What the session knows of the tables at this place is of another week.
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    moments = random.Random(request.config.getoption("--chaos-seed"))
    killed_after(before, moments.uniform(0.1, 2.0) * whole[1])
    play(before, [FIRST, SECOND], "never")
    assert tables_of(spark, before) == expected
