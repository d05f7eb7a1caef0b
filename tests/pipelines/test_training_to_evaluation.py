"""Training and evaluation through the real conf, over gold tables of made-up rows."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

import mlflow
import pytest
from kedro.io import DatasetError

from builders import FEATURES, labelled_frame, training_params
from lakehouse_ml.flights.model import COSTS, ESTIMATORS
from lakehouse_ml.lakehouse.contract import Column, Contract, by_table
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import TABLES
from lakehouse_ml.pipelines import evaluation, training
from lakehouse_ml.use_case import Family, Labels, Spine, UseCase
from project_builders import Project

TEXT = ("carrier", "origin")
KEY = Column("key", "string", "Key")
ASKED = (
    Column("predict_date", "date", "Day of the question", unit="UTC"),
    Column("predict_at", "timestamp", "Moment of the question", unit="UTC"),
)


def table(name, *columns, key=("key",), day="predict_date"):
    return Contract(f"gold.{name}", "row", key, (KEY, *columns), day=day)


FEATURE_COLUMNS = tuple(
    Column(name, "string" if name in TEXT else "double", name, required=False) for name in FEATURES
)
TRIPS = table("trips", *ASKED, Column("destination", "string", "Where to"))
LABELS = table(
    "labels",
    Column("is_late", "boolean", "Truth", required=False),
    Column("label_known_at", "timestamp", "When", unit="UTC"),
    Column("_revision", "string", "Revision"),
    key=("key", "_revision"),
    day="label_known_at",
)
CONTRACTS = by_table((TRIPS, table("features", *ASKED, *FEATURE_COLUMNS), LABELS, *TABLES))


def nothing(*frames):
    raise AssertionError


USE_CASE = UseCase(
    name="trips",
    model_name="late_trip",
    sources=(),
    spine=Spine(TRIPS, (), timedelta(), nothing, nothing, ()),
    families=(Family(table("route", *FEATURE_COLUMNS), (), timedelta(), nothing),),
    labels=Labels(LABELS, "is_late", "movements", nothing),
    estimators=ESTIMATORS,
    slices=MappingProxyType({"destination": lambda rows: rows["destination"]}),
    costs=COSTS,
    owners={},
)
PARAMS = {
    "training": training_params().model_dump(),
    "evaluation": {"measure": {"draws": 100, "slice_rows_min": 30}},
    "random_seed": 3,
}


def write_gold(project, spark, n_days):
    rows = labelled_frame(n_days, 30)
    asked = ["key", "predict_date", "predict_at"]
    trips = rows[asked].assign(destination=["BOS", "MIA", "ORD"] * (len(rows) // 3))
    labels = rows[["key", "is_late", "label_known_at"]].assign(_revision="a")
    catalog = project.catalog()
    for name, frame in (("trips", trips), ("features", rows[[*asked, *FEATURES]]), ("labels", labels)):
        stored = spark.createDataFrame(frame)
        for column in ("predict_date",) if name != "labels" else ():
            stored = stored.withColumn(column, stored[column].cast("date"))
        catalog.save(f"gold_{name}", stored)
    catalog.save("run", Run("run-1", datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=40), {}))


@pytest.fixture(scope="module")
def project(spark, mlflow_template, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project"), USE_CASE, contracts=f"{__name__}.CONTRACTS")
    stores = project.folder / "mlflow"
    stores.mkdir()
    for name in ("registry", "test"):
        shutil.copy(mlflow_template / "store.db", stores / f"{name}.db")
    mlflow.set_tracking_uri(f"sqlite:///{stores / 'test.db'}")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("t", str(stores / "artifacts")))
    write_gold(project, spark, 40)
    project.run(training, evaluation, params=PARAMS)
    yield project
    mlflow.set_tracking_uri("")


def candidates(project):
    return json.loads((project.folder / "storage/test/_state/candidates.json").read_text())


def test_the_holdout_is_evaluated_for_both_candidates_without_a_champion(project):
    rows = project.table("ml.evaluations").where("metric = 'roc_auc' AND slice = 'all'").collect()
    assert {(row["role"], row["compared_to"]) for row in rows} == {
        ("baseline", ""),
        ("challenger", ""),
        ("challenger", "baseline"),
    }
    assert {(row["holdout_start"], row["holdout_end"]) for row in rows} == {
        (date(2013, 2, 3), date(2013, 2, 10))
    }
    assert all(row["value"] > 0.6 for row in rows if not row["compared_to"])
    digests = {role: model["digest"] for role, model in candidates(project)["models"].items()}
    assert {row["role"]: row["model_digest"] for row in rows} == digests


def test_trials_are_stored_and_kept_for_a_killed_search(project):
    assert len(project.rows("ml.trials")) == 6
    assert len(list((project.folder / "storage/test/_state/studies").glob("*/*.json"))) == 6


def test_plots_and_the_metric_table_can_be_looked_at(project):
    folder = project.folder / "reporting/test/evaluation"
    names = {path.name for path in folder.iterdir()}
    figures = {"roc.json", "precision_recall.json", "calibration.json", "slices.json"}
    assert names == {"metrics.jsonl", "newly_wrong.jsonl", *figures}
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {row["metric"] for row in rows} >= {"roc_auc", "cost"}


def test_the_training_run_holds_the_metrics_of_the_evaluation(project):
    run = mlflow.get_run(candidates(project)["mlflow_run_id"])
    assert run.data.metrics["holdout.challenger.roc_auc"] > 0.6
    assert "holdout.challenger_minus_baseline.average_precision_low" in run.data.metrics
    found = {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id, "plots")}
    names = ("tuning", "roc", "precision_and_recall", "calibration_in_10_bins", "slices")
    assert found == {f"plots/{name}.html" for name in names}


def test_evaluating_again_adds_nothing_even_after_gold_has_changed(project, spark):
    before = project.rows("ml.evaluations")
    gold = project.table("gold.features")
    changed = gold.withColumn("backlog", -gold["backlog"])
    project.catalog().save("gold_features", spark.createDataFrame(changed.collect(), changed.schema))
    project.run(evaluation, params=PARAMS)
    assert project.rows("ml.evaluations") == before


def test_evaluating_again_adds_nothing_even_after_gold_was_emptied_to_be_built_again(project, spark):
    before = project.rows("ml.evaluations")
    for name in ("trips", "features", "labels"):
        project.catalog()[f"gold_{name}"].begin_anew()
    assert project.rows("gold.features") == []
    project.run(evaluation, params=PARAMS)
    assert project.rows("ml.evaluations") == before
    write_gold(project, spark, 40)


def test_training_again_is_evaluated_beside_the_first(project):
    before = len(project.rows("ml.evaluations"))
    project.run(training, evaluation, params={**PARAMS, "random_seed": 4})
    assert len(project.rows("ml.evaluations")) == 2 * before


def test_too_little_history_stops_the_training_with_the_way_out(project):
    with pytest.raises(ValueError, match=r"days of history before .* needed 10.*Land more days"):
        project.run(training, params={"training": {**PARAMS["training"], "holdout_days": 25}})


def test_evaluation_before_any_training_says_so(project, tmp_path):
    untrained = Project(tmp_path, USE_CASE, contracts=f"{__name__}.CONTRACTS")
    with pytest.raises(
        DatasetError, match=r"candidates.json names no version of gold.features: run `kedro run"
    ):
        untrained.catalog().load("recorded_gold_features")
    with pytest.raises(DatasetError, match="cannot be saved"):
        project.catalog()["recorded_gold_features"].save({})
