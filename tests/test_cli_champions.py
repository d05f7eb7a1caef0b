"""People's part in who is champion, by the commands that they give, on a real registry and ledger."""

import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pyspark.sql import SparkSession

from lakehouse_ml.__main__ import main
from lakehouse_ml.cli import cli
from lakehouse_ml.cli.opened import opened
from lakehouse_ml.datasets import DeltaTable, RegisteredModel
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.model_files import model_digest
from lakehouse_ml.pipelines.inference import create_pipeline
from lakehouse_ml.pipelines.inference.due import DueParams
from lakehouse_ml.platform import PLATFORM_VARIABLE
from lakehouse_ml.registry import LoggedModel, Registry
from ledger_builders import AS_OF, crown, ledger_address, ledger_in
from processes import ROOT, project_at
from registry_builders import Stores, saved_model, tenth_of_hour

RUN = Run("run-1", AS_OF, {})
# What a roll-back may take.
SECONDS = 60


class ProjectStores(Stores):
    """The stores that the project's configuration names in the environment ``test``."""

    @property
    def address(self) -> dict[str, str]:
        place = f"sqlite:///{self.folder}/mlflow"
        stores = {"registry_uri": f"{place}/registry.db", "tracking_uri": f"{place}/test.db"}
        return {"catalog": "test", "model_name": USE_CASE.model_name, **stores}

    @property
    def registry(self) -> Registry:
        known = self.address
        return Registry(f"test.ml.{USE_CASE.model_name}", known["registry_uri"], known["tracking_uri"])


@pytest.fixture
def project(spark: SparkSession, mlflow_template: Path, tmp_path: Path, monkeypatch) -> ProjectStores:
    """A project with the real configuration, in which a run has opened a day."""
    folder = project_at(tmp_path / "project")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    (folder / "data/mlflow").mkdir(parents=True)
    # Absolute: MLflow keeps a store open by its address, and a relative one would be that of the test before.
    with (folder / "conf/test/globals.yml").open("a") as values:
        values.write(f"mlflow_root: {folder}/data/mlflow\n")
    for name in ("registry", "test"):
        shutil.copy(mlflow_template / "store.db", folder / f"data/mlflow/{name}.db")
    bootstrap_project(ROOT)
    with opened(folder, "test") as (_, context):
        context.catalog.save("run", RUN)
    return ProjectStores(folder / "data", mlflow_template)


@pytest.fixture
def command(project: ProjectStores) -> Callable[..., Result]:
    metadata = bootstrap_project(ROOT)._replace(project_path=project.folder.parent)
    return lambda *arguments: CliRunner().invoke(cli, [*arguments], obj=metadata)


def twentieth_of_hour(stores: Stores) -> LoggedModel:
    """A model with half the scores of the others."""
    import skops.io

    folder, model = Path(saved_model(stores, "second").uri), tenth_of_hour()
    model.coef_ = model.coef_ / 2
    skops.io.dump(model, folder / "model.skops")
    return LoggedModel(str(folder), model_digest(folder), "run_of_second")


def scored(spark: SparkSession, stores: ProjectStores, root: str) -> list[tuple[str, str, float]]:
    """Key, version and score of the next batch, in a lakehouse that has no prediction yet."""
    flights = [(key, AS_OF, AS_OF.date(), hour, 7.0) for key, hour in (("early", 3.1), ("late", 9.7))]
    columns = "key string, predict_at timestamp, predict_date date, hour double, wind_kn double"
    gold = spark.createDataFrame(flights, columns)
    address = ledger_address(stores.folder)
    predictions = {**address, "root": str(stores.folder / root), "catalog": "test", "schema": "ml"}
    memory = {
        "gold_flights": gold.select("key", "predict_at", "predict_date"),
        "gold_features": gold,
        "ml_challengers": [],
        "run": RUN,
        "params:inference.due": DueParams(lookback_days=28),
        "table_versions": {"gold.features": 7, "gold.flights": 8},
    }
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in memory.items()}
        | {
            "ml_champion": RegisteredModel(**stores.address, **address),
            "before_ml_predictions": DeltaTable(**predictions, table="predictions", missing="empty"),
            "ml_predictions": DeltaTable(**predictions, table="predictions", mode="insert"),
        }
    )
    SequentialRunner().run(create_pipeline(SimpleNamespace(entities="flights")), catalog)
    rows = catalog.load("before_ml_predictions").orderBy("key").collect()
    return [(row["key"], row["model_version"], row["score"]) for row in rows]


def keep_golden_rows(stores: Stores, digest: str) -> None:
    """What evaluation leaves of a model: rows with the scores that it gave them."""
    rows = pd.DataFrame({"hour": [1.0, 2.0, 5.0], "wind_kn": [0.0, 1.0, 2.0]})
    with opened(stores.folder.parent, "test") as (_, context):
        context.catalog.save("golden_rows", {digest: rows.assign(score=rows["hour"] / 10)})


def test_a_version_is_approved_then_rolled_back_within_a_minute_and_the_old_scores_come_back(
    spark: SparkSession, project: ProjectStores, command: Callable[..., Result]
) -> None:
    first = saved_model(project, "first")
    crown(project, first)
    keep_golden_rows(project, first.digest)
    before = scored(spark, project, "first")
    assert {version for _, version, _ in before} == {"1"}

    crown(project, twentieth_of_hour(project), decision="awaiting_approval", champion_after="1")
    approved = command("approve", "--env=test", "--version", "2", "--by", "Ada", "--note", "card read")
    assert approved.exit_code == 0, approved.output
    assert "Version 2 is champion: row 4 of the ledger" in approved.output
    between = scored(spark, project, "second")
    assert {version for _, version, _ in between} == {"2"}
    assert [score for *_, score in between] == pytest.approx([score / 2 for *_, score in before], abs=0.1)
    assert [score for *_, score in between] != [score for *_, score in before]

    start = time.monotonic()
    back = command("rollback", "--env=test", "--by", "Ada", "--reason", "too many misses")
    assert time.monotonic() - start < SECONDS
    assert back.exit_code == 0, back.output
    assert "Version 1 is champion again, 2 was taken back: row 6 of the ledger" in back.output
    assert scored(spark, project, "third") == before

    again = command("rollback", "--env=test", "--by", "Ada", "--reason", "sure?")
    assert again.exit_code == 1
    assert "No version was champion before that was not taken back" in again.output
    assert command("ledger", "verify", "--env=test").output.startswith("7 rows: hashes, chain, alias and")


def packed_conf(project: ProjectStores) -> Path:
    """The configuration as it travels beside the wheel, with the values that say where data lies."""
    folder = project.folder.parent / "conf"
    values = folder / "test/globals.yml"
    roots = {"storage_root": project.folder / "lakehouse", "mlflow_root": project.folder / "mlflow"}
    placed = {name: str(root) for name, root in roots.items()}
    values.write_text(yaml.safe_dump({**yaml.safe_load(values.read_text()), **placed}))
    with tarfile.open(project.folder / "conf.tar.gz", "w:gz") as archive:
        archive.add(folder, "conf")
    return project.folder / "conf.tar.gz"


@pytest.mark.loop
def test_the_packaged_entry_does_what_a_person_asks_of_a_job(
    project: ProjectStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = saved_model(project, "first")
    crown(project, first)
    keep_golden_rows(project, first.digest)
    crown(project, twentieth_of_hour(project), decision="awaiting_approval", champion_after="1")
    (foreign := tmp_path / "foreign").mkdir()
    monkeypatch.setenv(PLATFORM_VARIABLE, "local")
    where = ("--conf-source", str(packed_conf(project)), "--env", "test", "--platform", "local")
    monkeypatch.chdir(foreign)

    approval = ("approve", *where, "--version=2", "--by=Ada", "--note=card read, slices too")
    assert main(approval) is None
    with pytest.raises(click.ClickException, match="Version 2 awaits no approval; no version does"):
        main(approval)
    # A job's parameter that nobody gave.
    back = ("rollback", *where, "--reason=too many misses, at night", "--to=", "--by=Ben")
    assert main(back) is None
    with pytest.raises(click.ClickException, match="No version was champion before that was not taken back"):
        main(back)
    assert list(foreign.iterdir()) == []

    entries = ledger_in(project.folder).state().entries
    asked = [(entry.event, entry.actor, entry.reasons[0], entry.champion_after) for entry in entries]
    assert asked[3:5] == [
        ("approved", "Ada", "card read, slices too", "2"),
        ("moved", "Ada", "the alias names version 2", "2"),
    ]
    assert asked[5] == ("decided", "Ben", "too many misses, at night", "1")


def test_a_copy_that_the_matrix_does_not_allow_is_refused(command: Callable[..., Result]) -> None:
    refused = command("promote", "--from", "test", "--to", "prod")
    assert refused.exit_code == 1
    assert "prod takes no version from test: copies_from of roles.yml allows staging" in refused.output


def test_where_nothing_was_trained_yet_the_ledger_is_empty_and_no_version_can_be_copied(
    project: ProjectStores, command: Callable[..., Result]
) -> None:
    verified = command("ledger", "verify", "--env=test")
    assert "0 rows: hashes, chain, alias and files agree" in verified.output
    refused = command("promote", "--from", "test", "--to", "staging")
    assert refused.exit_code == 1
    assert "test has no champion to copy" in refused.output


def test_a_version_that_awaits_its_approval_is_not_copied(
    project: ProjectStores, command: Callable[..., Result]
) -> None:
    crown(project, saved_model(project, "first"))
    crown(project, twentieth_of_hour(project), decision="awaiting_approval", champion_after="1")
    refused = command("promote", "--from", "test", "--to", "staging", "--version", "2")
    assert refused.exit_code == 1
    assert "Error: Version 2 was never promoted where it is" in refused.output
    assert not (project.folder / "lakehouse/staging").exists()


def test_a_copy_waits_for_no_run_and_leaves_its_hand_over_alone(
    project: ProjectStores, command: Callable[..., Result]
) -> None:
    first = saved_model(project, "first")
    crown(project, first)
    keep_golden_rows(project, first.digest)
    lock = project.folder / "lakehouse/staging/.lock"
    lock.parent.mkdir(parents=True)
    held = f"lock = FileLock({str(lock)!r}); lock.acquire(); print('held', flush=True); input()"
    hold = f"from filelock import FileLock; {held}"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", hold], text=True, **pipes) as run:
        assert run.stdout.readline() == "held\n"
        refused = command("promote", "--from", "test", "--to", "staging")
        run.communicate("over\n")
    assert refused.exit_code == 1
    assert "Another run is at work in environment staging" in refused.output
    assert list(project.folder.rglob("candidates.json")) == []
