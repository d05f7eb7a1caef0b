"""``kedro refresh``: what it forgets, and that nobody else writes before the layer is built again."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Node, Pipeline
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse_ml import pipeline_registry
from lakehouse_ml.__main__ import main
from lakehouse_ml.cli import cli
from lakehouse_ml.datasets import DeltaTable
from lakehouse_ml.hooks.session import take_lock
from processes import ROOT, project_at

pytestmark = pytest.mark.slow

REGISTERED = pipeline_registry.register_pipelines
ANOTHER_RUN = """
import sys
from pathlib import Path
from lakehouse_ml.hooks.session import take_lock
take_lock(Path(sys.argv[1]))
"""
MARKS = [("ingestion", 1), ("feature_engineering", 2), ("feature_engineering", 9)]
TABLES = ["bronze/weather", "gold/labels", "ops/progress", "quarantine/lines", "silver/weather"]
LABEL = (
    "'B6399' AS key, true AS is_late, 'arrived' AS outcome, TIMESTAMP'2013-01-01' AS label_known_at, "
    "'r' AS _revision"
)


class Refreshed:
    """A project whose stages only look at what a refresh leaves them."""

    def __init__(self, spark: SparkSession, project: Path) -> None:
        self.spark = spark
        self.project = project
        self.catalog = project / "data/lakehouse/test"
        self.tables: list[str] = []
        self.marks: list[tuple[str, int]] = []
        self.labels = 0
        self.another_run = ""
        self.replayed = False

    def table(self, schema: str, table: str) -> DeltaTable:
        root, contracts = str(self.catalog.parent), "lakehouse_ml.flights.CONTRACTS"
        return DeltaTable(
            catalog="test", root=root, contracts=contracts, schema=schema, table=table, mode="insert"
        )

    def fill(self) -> None:
        """A table of each layer, and what stages have read until some days of January."""
        rows = [(consumer, "silver.weather", day, f"2013-01-0{day}") for consumer, day in MARKS]
        frame = self.spark.createDataFrame(rows, "consumer string, table string, version bigint, day string")
        marks = frame.select("consumer", "table", "version", F.to_timestamp("day").alias("as_of"))
        self.table("ops", "progress").save(marks)
        self.table("gold", "labels").save(self.spark.sql(f"SELECT {LABEL}"))
        for table in TABLES:
            (self.catalog / table / "_delta_log").mkdir(parents=True, exist_ok=True)

    def stages(self) -> dict[str, Pipeline]:
        """Asked for when the run begins, after what is built again was forgotten."""
        command = [sys.executable, "-c", ANOTHER_RUN, str(self.catalog)]
        self.another_run = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        look = Pipeline([Node(self.look, None, "looked", name="look", tags="ingestion")])
        replay = Pipeline([Node(self.replay, None, "taken_back", name="replay")])
        others = {"feature_engineering": Pipeline([]), "replay_quarantine": replay}
        return {**REGISTERED(), "ingestion": look, **others}

    def replay(self) -> bool:
        self.replayed = True
        return True

    def look(self) -> bool:
        found = self.catalog.glob("*/*/_delta_log")
        self.tables = sorted(log.parent.relative_to(self.catalog).as_posix() for log in found)
        self.marks = sorted(
            (row["consumer"], row["version"]) for row in self.table("ops", "progress").load().collect()
        )
        self.labels = self.table("gold", "labels").load().count()
        return True

    def refresh(self, *options: str) -> Result:
        metadata = bootstrap_project(ROOT)._replace(project_path=self.project)
        return CliRunner().invoke(cli, ["refresh", *options, "--env=test"], obj=metadata)


@pytest.fixture
def refreshed(
    spark: SparkSession, mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Refreshed]:
    project = project_at(tmp_path / "project")
    (project / "data/mlflow").mkdir(parents=True)
    for name in ("registry", "test"):
        shutil.copy(mlflow_template / "store.db", project / f"data/mlflow/{name}.db")
    monkeypatch.chdir(project)
    found = Refreshed(spark, project)
    monkeypatch.setattr(pipeline_registry, "register_pipelines", found.stages)
    found.fill()
    yield found
    pipelines.configure("lakehouse_ml.pipeline_registry")


@pytest.mark.parametrize(
    ("options", "tables", "marks"),
    [
        (["--layer=silver"], ["bronze/weather", "gold/labels", "ops/progress"], []),
        (["--layer=gold"], TABLES, MARKS[:1]),
        (["--layer=gold", "--from=2013-01-05"], TABLES, sorted(MARKS[:2])),
    ],
)
def test_the_run_finds_the_layer_forgotten_and_no_other_run_came_between(
    refreshed: Refreshed, options: list[str], tables: list[str], marks: list[tuple[str, int]]
) -> None:
    told = refreshed.refresh(*options)
    assert told.exit_code == 0, told.output
    assert refreshed.tables == tables
    assert refreshed.marks == marks
    assert refreshed.labels == ("--from" in options[-1])
    assert "RunLockedError: Another run is at work in environment test" in refreshed.another_run
    take_lock(refreshed.catalog).release()


@pytest.mark.parametrize(
    ("what", "tables", "marks"),
    [
        ("silver", ["bronze/weather", "gold/labels", "ops/progress"], []),
        ("gold", TABLES, MARKS[:1]),
        ("gold:2013-01-05", TABLES, sorted(MARKS[:2])),
        # It is a run of its own, with its events.
        ("replay_quarantine", sorted([*TABLES, "ops/event_log"]), sorted(MARKS)),
        ("", TABLES, sorted(MARKS)),
    ],
)
def test_a_job_may_begin_with_what_a_person_asked_for(
    refreshed: Refreshed, what: str, tables: list[str], marks: list[tuple[str, int]]
) -> None:
    conf = str(refreshed.project / "conf")
    main([f"--mend={what}", "--conf-source", conf, "--env", "test", "--pipelines", "ingestion"])
    assert refreshed.tables == tables
    assert refreshed.marks == marks
    assert refreshed.labels == (what not in ("silver", "gold"))
    assert refreshed.replayed == (what == "replay_quarantine")


@pytest.mark.parametrize("what", ["bronze", "silver:2013-01-05", "gold:tomorrow", "replay"])
def test_what_no_job_can_mend_is_refused_and_nothing_runs(refreshed: Refreshed, what: str) -> None:
    conf = str(refreshed.project / "conf")
    with pytest.raises(
        click.ClickException, match=r"mend: must be replay_quarantine|does not match the formats"
    ):
        main([f"--mend={what}", "--conf-source", conf, "--env", "test", "--pipelines", "ingestion"])
    assert refreshed.tables == []


@pytest.mark.parametrize("arguments", [("approve", "--mend=gold", "--version=1"), ("--help", "--mend=gold")])
def test_only_a_run_mends(refreshed: Refreshed, arguments: tuple[str, ...]) -> None:
    conf = ("--conf-source", str(refreshed.project / "conf"), "--env", "test")
    if "--help" in arguments:
        main([*arguments, *conf])
    else:
        with pytest.raises(click.NoSuchOption, match="--mend"):
            main([*arguments, *conf])
    assert refreshed.table("gold", "labels").load().count() == 1


def test_gold_is_emptied_in_place_so_that_what_was_scored_can_still_be_read(refreshed: Refreshed) -> None:
    before = refreshed.table("gold", "labels").lakehouse.version("gold.labels")
    assert refreshed.refresh("--layer=gold").exit_code == 0
    labels = refreshed.table("gold", "labels")
    assert labels.lakehouse.version("gold.labels") == before + 1
    assert labels.load_version(before).count() == 1


def test_silver_is_built_again_whole() -> None:
    told = CliRunner().invoke(
        cli, ["refresh", "--layer=silver", "--from=2013-01-05"], obj=bootstrap_project(ROOT)
    )
    assert told.exit_code == 1
    assert "--from goes with --layer gold" in told.output
