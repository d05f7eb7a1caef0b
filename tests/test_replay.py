"""A replayed week: the data once for all policies, each policy's own decisions, and the same tables after a kill."""

import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from pyspark.sql import DataFrame, SparkSession

import toy
from equality import fingerprints
from lakehouse_ml.cli import cli, replaying
from lakehouse_ml.incidents import Poisoned, read_incidents
from lakehouse_ml.replay.story import Story, read_story
from lakehouse_ml.replay.world import DATA, World
from processes import ROOT, finish, kill
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
    "ops.runs", "ml.predictions", "ml.trials", "ops.quality_windows", "ops.profile_metrics", "ops.drift_metrics",
    "ops.alerts", "ops.retrain_decisions", "ops.promotion_ledger", "ml.evaluations",
)  # fmt: skip

pytestmark = pytest.mark.loop


class Whole(NamedTuple):
    """What was played without an interruption.

    Attributes:
        world: Two steps of a policy that trains in both, and the first one of another.
        seconds: What the second step took.
        early: The first policy's story, looked at as of its first step.
        late: The same after the second.
        told: What the command printed, once all was played.
    """

    world: World
    seconds: float
    early: Story
    late: Story
    told: str


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
    world = shop_world(tmp_path_factory.mktemp("shop"), MEDDLED)
    copy_stores(mlflow_template, world)
    play(world, [FIRST], "monthly")
    shutil.copytree(world.folder, world.folder.with_name("before"))
    return world


@pytest.fixture(scope="module")
def whole(spark: SparkSession, before: World) -> Whole:
    """The second step too, without an interruption, and the first one of another policy."""
    started = time.monotonic()
    play(before, [FIRST, SECOND], "monthly")
    seconds = time.monotonic() - started
    early, late = (read_story(before, "monthly", nows, toy.USE_CASE) for nows in ([FIRST], [FIRST, SECOND]))
    assert early
    assert late
    play(before, [FIRST], "triggered", poisons=POISONS)
    # As if it had been killed after all was decided, and before the step was on record.
    shutil.rmtree(before.done("triggered").folder)
    play(before, [FIRST], "triggered", poisons=POISONS)
    told = replay_command(before)
    apart = World(before.folder.with_name("whole"), before.project_path)
    before.folder.rename(apart.folder)
    return Whole(apart, seconds, early, late, told)


def replay_command(world: World) -> str:
    """What `kedro replay` prints when all is played; it writes the page."""
    incidents = world.project_path / "shop.yml"
    incidents.write_text(MEDDLED)
    times = ("--from", f"{FIRST:%Y-%m-%d}", "--to", f"{SECOND:%Y-%m-%d}", "--policy", "monthly")
    project = bootstrap_project(ROOT)._replace(project_path=world.project_path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replaying, "USE_CASE", toy.USE_CASE)
        found = CliRunner().invoke(
            cli, ["replay", *times, "--env", "test", "--incidents", str(incidents)], obj=project
        )
    assert found.exit_code == 0, found.output
    return found.output


def table(spark: SparkSession, world: World, environment: str, name: str) -> DataFrame:
    return spark.read.format("delta").load(
        str(world.folder / "storage" / environment / name.replace(".", "/"))
    )


def rows(spark: SparkSession, world: World, environment: str, name: str, *columns: str) -> list[tuple]:
    return sorted(tuple(row) for row in table(spark, world, environment, name).select(*columns).collect())


def test_the_data_part_is_played_once_for_all_policies(spark: SparkSession, whole: Whole) -> None:
    world = whole.world
    steps = world.done(DATA).all()
    assert [run for (run,) in rows(spark, world, DATA, "ops.runs", "run_id")] == [
        step.run_id for step in steps
    ]
    assert steps[0].input_versions["gold.features"] < steps[1].input_versions["gold.features"]
    for policy, played in {"monthly": steps, "triggered": steps[:1]}.items():
        assert not (world.folder / "storage" / policy / "gold").exists()
        assert [(step.run_id, step.input_versions) for step in world.done(policy).all()] == [
            (step.run_id, step.input_versions) for step in played
        ]


def test_predictions_name_the_version_of_their_step(spark: SparkSession, whole: Whole) -> None:
    second = whole.world.done(DATA).all()[1]
    found = set(rows(spark, whole.world, "monthly", "ml.predictions", "features_version", "run_id"))
    assert found == {(second.input_versions["gold.features"], second.run_id)}


def test_each_policy_has_its_own_champion_and_the_gate_refuses_the_poisoned_model(
    spark: SparkSession, whole: Whole
) -> None:
    decided = {
        policy: rows(
            spark, whole.world, policy, "ops.promotion_ledger", "sequence", "event", "decision", "reasons"
        )
        for policy in ("monthly", "triggered")
    }
    first = [(1, "decided", "promoted"), (2, "moved", "promoted")]
    assert [row[:3] for row in decided["monthly"]][:2] == first
    assert [row[:3] for row in decided["triggered"]] == [*first, (3, "decided", "refused")]
    assert any("FAILED floor_roc_auc" in reason for reason in decided["triggered"][2][3])


def test_a_policy_is_looked_at_up_to_an_end_before_the_one_that_it_was_played_to(whole: Whole) -> None:
    assert [training.as_of for training in whole.early.trainings] == [FIRST]
    assert [training.as_of for training in whole.late.trainings] == [FIRST, SECOND]
    assert len(whole.early.scored) == 0 < len(whole.late.scored)
    assert all(whole.early.alerts["as_of"] <= pd.Timestamp(FIRST).tz_convert(None))


def test_the_command_shows_what_is_played_already_and_plays_nothing_again(whole: Whole) -> None:
    lines = whole.told.splitlines()
    played = [line.split()[:2] for line in lines if line.endswith(" s")]
    days = [f"{now:%Y-%m-%d}" for now in (FIRST, SECOND)]
    assert played == [[part, day] for part in (DATA, "monthly") for day in days]
    seconds = {tuple(line.split()[:2]): float(line.split()[-2]) for line in lines if line.endswith(" s")}
    for part in (DATA, "monthly"):
        assert [seconds[part, day] for day in days] == [step.seconds for step in whole.world.done(part).all()]
    assert {"Policies,", "Incidents", "poison"} <= set(whole.told.split())
    assert lines[-1].endswith("replay.html")


def test_the_page_shows_what_was_played_to_the_end(whole: Whole) -> None:
    page = (whole.world.reporting / "replay.html").read_text()
    assert "shop · replay" in page
    assert "Only monthly was played" in page
    # The first one is asked about as the second step begins.
    assert "measured on the same 1,399 predictions" in page.replace("\n", " ")


def tables_of(spark: SparkSession, world: World) -> dict[str, object]:
    """What must be the same, whatever was killed: the rows of the tables."""
    storage = world.folder / "storage"
    return {
        **fingerprints(spark, storage / DATA, DATA_TABLES),
        **{
            f"monthly {name}": value
            for name, value in fingerprints(spark, storage / "monthly", POLICY_TABLES).items()
        },
    }


def begun(world: World) -> "subprocess.Popen[str]":
    """The second step in a process of its own, which has Spark and begins to play."""
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("src", "tests"))
    run = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/replay_toy.py"), str(world.folder), str(world.project_path), "monthly"],
        env={**os.environ, "PYTHONPATH": paths}, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert run.stdout is not None
    # Spark tells something first.
    assert any(line == f"{BEGUN}\n" for line in run.stdout)
    return run


def killed_in_training(world: World, seconds: float) -> bool:
    """Kill the second step so long after it began, or when a search has its next trial; whether that came first."""
    studies = world.state("monthly") / "studies"
    before, run = set(studies.rglob("*.json")), begun(world)
    until = time.monotonic() + seconds
    trained = False
    while time.monotonic() < until and not trained:
        assert run.poll() is None, "it ended, and nothing was killed"
        time.sleep(0.01)
        trained = bool(set(studies.rglob("*.json")) - before)
    kill(run)
    return trained


def test_a_week_that_was_killed_and_begun_again_leaves_the_same_tables(
    spark: SparkSession, before: World, whole: Whole, request: pytest.FixtureRequest
) -> None:
    expected = tables_of(spark, whole.world)
    shutil.copytree(before.folder.with_name("before"), before.folder)
    # What the session knows of the tables at this place is of another week.
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    moments = random.Random(request.config.getoption("--chaos-seed"))
    # The last kill waits for the training: the part that a step seldom has.
    others = request.config.getoption("--kills") // 2 - 2
    chosen = [moments.uniform(0.05, 1.0) * whole.seconds for _ in range(others)]
    assert any(killed_in_training(before, seconds) for seconds in (*chosen, math.inf))
    assert not before.done("monthly").find(SECOND)
    # By another process, as whoever begins again does; this one has MLflow's stores of the moved folder open.
    finish(begun(before))
    assert tables_of(spark, before) == expected
