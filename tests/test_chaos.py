"""Law 2: a job may be killed at any point and started again, and the tables end equal to an uninterrupted run."""

import random
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from equality import assert_balanced, fingerprints
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.flights.feed import Mess, feed_records, feed_window, publish
from processes import QUICK_TO_START, finish, kill, project_at, start_run

UNTIL = pd.Timestamp("2013-01-04", tz="UTC")
PIPELINES = ("--pipelines", "ingestion,feature_engineering")
TABLES = (
    *(f"{layer}.{source.name}" for source in USE_CASE.sources for layer in ("bronze", "silver")),
    "quarantine.lines",
    "gold.flights",
    "gold.features",
    "gold.labels",
    "ops.ingestion_log",
)

pytestmark = pytest.mark.loop


def landed(folder: Path) -> Path:
    project = project_at(folder, QUICK_TO_START)
    records = feed_records()
    list(publish(records, project / "data/01_raw/test", feed_window(records, None, UNTIL, "day"), Mess(7)))
    return project


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    project = landed(tmp_path_factory.mktemp("uninterrupted"))
    started = time.monotonic()
    finish(start_run(project, *PIPELINES))
    return project / "data/lakehouse/test", time.monotonic() - started


def kill_after(project: Path, seconds: float) -> bool:
    """Whether the run was still at work then."""
    run = start_run(project, *PIPELINES)
    try:
        run.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(run)
        return True
    finish(run)
    return False


def kill_between_commit_and_checkpoint(project: Path) -> None:
    """Kill as soon as the first stream's rows are committed and its checkpoint is not."""
    catalog = project / "data/lakehouse/test"
    run = start_run(project, *PIPELINES)
    while run.poll() is None:
        for source in USE_CASE.sources:
            done = (catalog / f"bronze/{source.name}/_delta_log/00000000000000000001.json").exists()
            if done and not (catalog / f"_checkpoints/bronze/{source.name}/commits/0").exists():
                kill(run)
                return
        time.sleep(0.001)
    finish(run)


def test_killed_and_restarted_runs_end_in_the_tables_of_an_uninterrupted_one(
    spark: SparkSession, uninterrupted: tuple[Path, float], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected, seconds = uninterrupted
    project = landed(tmp_path)
    moments = random.Random(request.config.getoption("--chaos-seed"))
    kill_between_commit_and_checkpoint(project)
    kills = 1
    while kills < request.config.getoption("--kills") and kill_after(
        project, moments.uniform(0.15, 1.0) * seconds
    ):
        kills += 1
    finish(start_run(project, *PIPELINES))
    catalog = project / "data/lakehouse/test"
    assert fingerprints(spark, catalog, TABLES) == fingerprints(spark, expected, TABLES)
    assert_balanced(spark, catalog)
