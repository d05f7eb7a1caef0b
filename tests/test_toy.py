"""Another use case through all stages: none of them knows about flights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from pyspark.sql import SparkSession

import toy
from lakehouse_ml.pipelines import (
    evaluation,
    feature_engineering,
    inference,
    ingestion,
    monitoring,
    promotion,
    training,
)
from project_builders import Project

LOOP = (ingestion, feature_engineering, training, evaluation, promotion, inference, monitoring)
DAILY = (ingestion, feature_engineering, inference, monitoring)


class Shop(Project):
    """The real conf, but for the values that name sources and features of flights."""

    def config_loader(self, params: dict[str, Any] | None = None) -> OmegaConfigLoader:
        loader = super().config_loader(params)
        parameters = loader["parameters"]
        parameters["monitoring"]["data"]["max_hours"] = {"visits": 30, "sales": 30}
        parameters["monitoring"]["drift"]["rules"][0] |= {
            "features": ["shop_name", "pages_seen"],
            "but_not": [],
        }
        loader["parameters"] = parameters
        return loader


@pytest.fixture(scope="module")
def shop(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, DataCatalog]]:
    """The loop over seventy days, then a day more."""
    folder = tmp_path_factory.mktemp("shop")
    project = Shop(folder, toy.USE_CASE, contracts="toy.CONTRACTS", model_name="sale")
    toy.play(project.landing, range(70))
    (folder / "mlflow").mkdir()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow/test.db")
    mlflow.set_registry_uri(f"sqlite:///{folder}/mlflow/registry.db")
    mlflow.set_experiment("test")
    with mlflow.start_run():
        project.run(*LOOP)
    toy.play(project.landing, range(70, 71))
    yield project, project.run(*DAILY)
    mlflow.set_tracking_uri("")
    mlflow.set_registry_uri("")


def test_every_line_is_accounted_for(shop: tuple[Project, DataCatalog]) -> None:
    assert shop[0].table("ops.ingestion_log").where("lines != accepted").count() == 0
    assert shop[0].table("silver.visits").count() == 71 * 200


def test_a_model_with_skill_is_promoted(shop: tuple[Project, DataCatalog]) -> None:
    row = shop[0].table("ops.promotion_ledger").collect()[0]
    assert row["decision"] == "promoted"
    assert row["champion_after"] == "1"


def test_what_is_due_is_scored_once(shop: tuple[Project, DataCatalog]) -> None:
    predictions = shop[0].table("ml.predictions")
    assert predictions.count() == predictions.select("key").distinct().count()
    newest = predictions.where("predict_date = '2024-03-11'")
    assert newest.count() == 200


def test_the_report_and_the_summary_are_there(shop: tuple[Project, DataCatalog]) -> None:
    _, catalog = shop
    assert "shop" in catalog.load("monitoring_report")
    assert catalog.load("reporting_summary")["as_of"].startswith("2024-03-12")


def test_the_parameters_hold_for_any_use_case(tmp_path: Path) -> None:
    assert Project(tmp_path, toy.USE_CASE).catalog().load("params:random_seed")
