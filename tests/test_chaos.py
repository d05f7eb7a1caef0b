"""Law 2: a job may be killed at any point and started again, and the tables end equal to an uninterrupted run."""

import random
import signal
import subprocess
import sys
import tempfile
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
# What is killed lets nodes work side by side.
ONE_BY_ONE = ("--runner", "SequentialRunner")
TABLES = (
    *(f"{layer}.{source.name}" for source in USE_CASE.sources for layer in ("bronze", "silver")),
    "quarantine.lines",
    "gold.flights",
    "gold.features",
    "gold.labels",
    "ops.ingestion_log",
)

# So seldom does a kill miss the instant between commit and checkpoint that this many misses are a fault.
MOST_MISSES = 5


def catalog_of(project: Path) -> Path:
    return project / "data/lakehouse/test"


def landed(folder: Path) -> Path:
    project = project_at(folder, QUICK_TO_START)
    records = feed_records()
    list(publish(records, project / "data/01_raw/test", feed_window(records, None, UNTIL, "day"), Mess(7)))
    return project


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    project = landed(tmp_path_factory.mktemp("uninterrupted"))
    started = time.monotonic()
    finish(start_run(project, *PIPELINES, *ONE_BY_ONE))
    return catalog_of(project), time.monotonic() - started


def kill_after(run: "subprocess.Popen[str]", seconds: float) -> bool:
    """Whether the run was still at work then, and so was killed; one that was not must have succeeded."""
    try:
        run.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return shot(run)
    finish(run)
    return False


def shot(run: "subprocess.Popen[str]") -> bool:
    """Kill the run: whether the signal met it at work."""
    kill(run)
    assert run.returncode in (0, -signal.SIGKILL)
    return run.returncode != 0


def kill_between_commit_and_checkpoint(run: "subprocess.Popen[str]", catalog: Path) -> bool:
    """Kill as soon as a stream's first rows are committed and its checkpoint is not: whether it hit that."""
    while run.poll() is None:
        if torn := torn_streams(catalog):
            return shot(run) and bool(torn & torn_streams(catalog))
        time.sleep(0.001)
    finish(run)
    return False


def torn_streams(catalog: Path) -> set[str]:
    """The sources whose first rows are committed and whose stream does not know it yet."""
    return {
        source.name
        for source in USE_CASE.sources
        if (catalog / f"bronze/{source.name}/_delta_log/00000000000000000001.json").exists()
        and not (catalog / f"_checkpoints/bronze/{source.name}/commits/0").exists()
    }


def landed_afresh(folder: Path) -> Path:
    return landed(Path(tempfile.mkdtemp(dir=folder)))


def torn_at_a_checkpoint(folder: Path) -> Path:
    """A project whose first run was killed between a commit and its checkpoint; a miss begins another one."""
    for _ in range(MOST_MISSES):
        project = landed_afresh(folder)
        if kill_between_commit_and_checkpoint(start_run(project, *PIPELINES), catalog_of(project)):
            return project
    pytest.fail(f"{MOST_MISSES} runs in a row were not killed between a commit and its checkpoint")


def assert_as_uninterrupted(spark: SparkSession, project: Path, expected: Path) -> None:
    found, uninterrupted = (
        fingerprints(spark, catalog, TABLES) for catalog in (catalog_of(project), expected)
    )
    assert found == uninterrupted
    assert_balanced(spark, catalog_of(project))


@pytest.mark.loop
def test_killed_and_restarted_runs_end_in_the_tables_of_an_uninterrupted_one(
    spark: SparkSession, uninterrupted: tuple[Path, float], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected, seconds = uninterrupted
    moments = random.Random(request.config.getoption("--chaos-seed"))
    wanted = request.config.getoption("--kills")
    project, kills = torn_at_a_checkpoint(tmp_path), 1
    while kills < wanted:
        # The seconds are those of one node after the other: side by side a run has mostly ended by the last of them.
        if kill_after(start_run(project, *PIPELINES), moments.uniform(0.15, 0.85) * seconds):
            kills += 1
        else:
            # Nothing is left to kill here: each kill has to meet a run that has work to do.
            assert_as_uninterrupted(spark, project, expected)
            project = landed_afresh(tmp_path)
    finish(start_run(project, *PIPELINES))
    assert_as_uninterrupted(spark, project, expected)
    assert kills == wanted


def process(code: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True)


def test_only_a_run_that_was_at_work_counts_as_killed(tmp_path: Path) -> None:
    assert kill_after(process("import time; time.sleep(60)"), 0.1)
    assert not kill_after(process("pass"), 60)
    assert not kill_between_commit_and_checkpoint(process("pass"), tmp_path)
    with pytest.raises(AssertionError):
        kill_after(process("raise SystemExit(3)"), 60)


def test_a_kill_after_the_checkpoint_is_a_miss(tmp_path: Path) -> None:
    commit = tmp_path / "bronze/weather/_delta_log/00000000000000000001.json"
    checkpoint = tmp_path / "_checkpoints/bronze/weather/commits/0"
    assert torn_streams(tmp_path) == set()
    for file in (commit, checkpoint):
        file.parent.mkdir(parents=True)
    commit.touch()
    assert torn_streams(tmp_path) == {"weather"}
    assert kill_between_commit_and_checkpoint(process("import time; time.sleep(60)"), tmp_path)
    checkpoint.touch()
    assert torn_streams(tmp_path) == set()
