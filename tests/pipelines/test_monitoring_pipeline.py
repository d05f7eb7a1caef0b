"""The whole monitoring pipeline, from catalog to page, over Delta tables."""

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse_ml.datasets.alert_routes import AlertRoutes
from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.deploy.secrets import Secret
from lakehouse_ml.lakehouse import tables
from lakehouse_ml.pipelines.monitoring import create_pipeline
from lakehouse_ml.pipelines.monitoring.alerts import DriftParams
from lakehouse_ml.pipelines.monitoring.counting import ProfileParams
from lakehouse_ml.pipelines.monitoring.history import HistoryParams
from lakehouse_ml.pipelines.monitoring.invariants import InvariantParams
from lakehouse_ml.pipelines.monitoring.landed import DataParams
from lakehouse_ml.pipelines.monitoring.lifecycle import AlertParams
from lakehouse_ml.pipelines.monitoring.outcomes import OutcomeParams
from lakehouse_ml.pipelines.monitoring.report import ReportParams
from lakehouse_ml.pipelines.monitoring.retrain import RetrainParams
from lakehouse_ml.pipelines.monitoring.rules import QualityParams
from lakehouse_ml.pipelines.monitoring.summary import SummaryParams
from lakehouse_ml.pipelines.monitoring.unscored import ScoringParams
from lakehouse_ml.pipelines.monitoring.windows import WindowParams
from lakehouse_ml.use_case import Costs
from monitoring_builders import OWNERS, params
from monitoring_rows import (
    AS_OF,
    CHAMPION,
    PER_DAY,
    RUN,
    Table,
    evaluation,
    event,
    features_frame,
    features_of,
    labels_of,
    ledger,
    logged,
    predictions_of,
    table_maker,
)

WRITTEN = (
    tables.PROFILE_METRICS,
    tables.DRIFT_METRICS,
    tables.QUALITY_WINDOWS,
    tables.ALERTS,
    tables.RETRAIN_DECISIONS,
)


def use_case() -> Any:
    """As much of a use case as monitoring may know."""
    return SimpleNamespace(
        name="toys", entities="toys", owners=OWNERS, costs=Costs(1.0, 3.0), labels=SimpleNamespace(column="is_late"),
        sources=(SimpleNamespace(name="weather"),),
        families=(SimpleNamespace(name="toys", contract=SimpleNamespace(names=("key", "jumps", "gaps", "constant"))),),
    )  # fmt: skip


MODELS = {
    "windows": WindowParams, "profile": ProfileParams, "drift": DriftParams, "retrain": RetrainParams,
    "invariants": InvariantParams, "outcomes": OutcomeParams, "scoring": ScoringParams,
    "history": HistoryParams, "report": ReportParams, "summary": SummaryParams, "alerts": AlertParams,
}  # fmt: skip


def stored(folder: Path, name: str, **how: Any) -> DeltaTable:
    address = {"catalog": "toys", "root": str(folder), "contracts": "lakehouse_ml.flights.CONTRACTS"}
    return DeltaTable(schema="ops", table=name, **address, **how)


def run_once(spark: SparkSession, folder: Path) -> None:
    """One run over the tables under the folder, with the shipped entries of every page and plot."""
    text = Path("conf/base/catalog_monitoring.yml").read_text()
    text = text.replace("${_here.reporting}", str(folder / "reporting"))
    pages = {name: entry for name, entry in yaml.safe_load(text).items() if not name.startswith("_")}
    del pages["alert_messages"]
    catalog = DataCatalog.from_config(pages)
    catalog["alert_messages"] = AlertRoutes(
        environment="toys",
        routes=["file"],
        file=str(folder / "alerts.jsonl"),
        webhook={"address": Secret("test", "none"), "timeout_seconds": 1, "retries": 0, "backoff_seconds": 0},
        told=str(folder / "told_alerts.json"),
    )
    for name, value in inputs(spark, table_maker(spark)).items():
        catalog[name] = MemoryDataset(value, copy_mode="assign")
    for contract in WRITTEN:
        catalog[f"ops_{contract.name}"] = stored(folder, contract.name, mode="insert")
        catalog[f"before_ops_{contract.name}"] = stored(folder, contract.name, missing="empty")
    SequentialRunner().run(create_pipeline(use_case()), catalog)


def inputs(spark: SparkSession, table: Table) -> dict[str, Any]:
    features, frame = features_of(spark), features_frame()
    champion = SimpleNamespace(
        version="3", digest="digest", trained_from=CHAMPION.trained_from, trained_until=CHAMPION.trained_until
    )
    return {
        "gold_features": features, "gold_labels": labels_of(spark), "ml_champion": champion,
        "gold_toys": features.withColumn("predict_at", F.col("predict_date").cast("timestamp")),
        "run": RUN, "ml_evaluations": table(tables.EVALUATIONS, evaluation("run-1", AS_OF)),
        "ml_predictions": table(
            tables.PREDICTIONS, *predictions_of(frame), *predictions_of(frame, role="challenger", run_id="run-0")
        ),
        "ops_ingestion_log": table(tables.INGESTION_LOG, logged("weather/a", date(2013, 2, 20))),
        "ops_runs": table(tables.RUNS, {"run_id": "run-1", "as_of": AS_OF, "opened_at": AS_OF}),
        "ops_promotion_ledger": table(tables.PROMOTION_LEDGER, ledger(1)),
        "before_ops_event_log": table(tables.EVENT_LOG, event("run-0", 1, "monitoring", 1)),
        **{f"params:monitoring.{group}": model(**params(group)) for group, model in MODELS.items()},
        "params:monitoring.quality": QualityParams(**{**params("quality"), "min_positives": 50, "draws": 100}),
        "params:monitoring.data": DataParams(**{**params("data"), "max_hours": {"weather": 30}, "no_fixed_time": ()}),
        "params:random_seed": 1, "table_versions": {"gold.features": 4},
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("monitoring")
    run_once(spark, place)
    return place


def loaded(folder: Path, name: str) -> pd.DataFrame:
    return stored(folder, name).load().toPandas()


def versions(folder: Path) -> dict[str, int]:
    return stored(folder, "alerts").lakehouse.versions(tuple(contract.table for contract in WRITTEN))


def test_every_table_is_written_in_one_commit_and_not_empty(folder: Path) -> None:
    assert versions(folder) == {contract.table: 1 for contract in WRITTEN}
    for contract in WRITTEN:
        assert len(loaded(folder, contract.name)), contract.table


def test_the_planted_jump_is_found_and_only_warned_of(folder: Path) -> None:
    alerts = loaded(folder, "alerts")
    drifted = alerts[alerts["rule"] == "drift_from_training"]
    assert drifted["subject"].tolist() == ["jumps"]
    assert set(drifted["severity"]) == {"warning"}


def test_each_alert_is_told_after_its_row_is_committed(folder: Path) -> None:
    told = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    alerts = loaded(folder, "alerts")
    rows = set(zip(alerts["alert_id"], alerts["sequence"], strict=True))
    assert {(message["alert_id"], message["sequence"]) for message in told} == rows
    assert len(told) == len(rows)


def test_alerts_are_told_before_a_training_is_started_which_may_fail() -> None:
    before = create_pipeline(use_case()).to_nodes("request_training")
    assert "tell_alerts" in {node.name for node in before.nodes}


def test_a_training_that_is_due_waits_for_labels_on_record(folder: Path) -> None:
    (decision,) = loaded(folder, "retrain_decisions").to_dict("records")
    assert (decision["outcome"], decision["model_version"], decision["sequence"]) == ("held_back", "3", 1)
    # Labels end five days before the run's now: that they are overdue is found too.
    assert list(decision["reasons"]) == ["schedule"]
    assert list(decision["held_back_by"]) == ["data_alert", "few_labels"]
    (alert,) = loaded(folder, "alerts").query("rule == 'retrain'").to_dict("records")
    assert "held back: labels_late outcomes: bad data is no drift; 719 new labels" in alert["reason"]


def test_only_the_window_whose_truth_is_in_is_measured(folder: Path) -> None:
    windows = loaded(folder, "quality_windows")
    assert windows["window_start"].tolist() == [date(2013, 2, 4)]
    assert windows["is_violation"].tolist() == [True]


def test_page_plots_and_summary_are_written(folder: Path) -> None:
    pages = folder / "reporting"
    assert "Champion 3 breaks quality rules" in (pages / "report.html").read_text()
    summary = json.loads((pages / "summary.json").read_text())
    assert summary["rows"]["gold toys"] == len(features_frame())
    assert summary["scored"] == 17 * PER_DAY
    plots = {path.name for path in (pages / "plots").iterdir()}
    assert plots == {"quality.json", "drift.json", "data_flow.json", "stages.json"}
    assert "jumps" in set(pd.read_parquet(pages / "tables" / "open_alerts.parquet")["subject"])


def test_running_again_adds_nothing_and_draws_the_same_page(spark: SparkSession, folder: Path) -> None:
    before, page = versions(folder), (folder / "reporting" / "report.html").read_text()
    told = (folder / "alerts.jsonl").read_text()
    run_once(spark, folder)
    assert versions(folder) == before
    assert (folder / "alerts.jsonl").read_text() == told
    assert (folder / "reporting" / "report.html").read_text() == page
