from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pyspark.sql import functions as F
from sklearn.linear_model import LinearRegression

from lakehouse_ml.datasets import DeltaTable
from lakehouse_ml.lakehouse.contract import ContractError, by_table
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import TABLES
from lakehouse_ml.pipelines.inference import create_pipeline
from lakehouse_ml.pipelines.inference.due import DueParams
from lakehouse_ml.pipelines.inference.score import score_due
from lakehouse_ml.registry import Champion
from registry_builders import tenth_of_hour

CONTRACTS = by_table(TABLES)
USE_CASE = SimpleNamespace(entities="flights")
RUN = Run("run-1", datetime(2013, 10, 1, 12, tzinfo=UTC), {})
CHAMPION = Champion(
    version="3",
    digest="a" * 64,
    model=tenth_of_hour(),
    role="challenger",
    threshold=0.5,
    trained_from=date(2013, 1, 1),
    trained_until=date(2013, 9, 3),
    base_rate=0.24,
    feature_fingerprint="f" * 64,
    feature_names=("hour", "wind_kn"),
)
FOUR_WEEKS = DueParams(lookback_days=28)
# Key, hours before the run's now, the feature hour.
FLIGHTS = (("recent", 1, 3.0), ("now", 0, 6.0), ("last week", 7 * 24, 5.0), ("late", 9, 9.0))
TOO_EARLY = ("trained on", 29 * 24, 1.0)
TOO_LATE = ("not due yet", -1, 1.0)


def gold(spark, flights=(*FLIGHTS, TOO_EARLY, TOO_LATE)):
    rows = [(key, RUN.as_of - timedelta(hours=hours), hour, 7.0) for key, hours, hour in flights]
    frame = spark.createDataFrame(rows, "key string, predict_at timestamp, hour double, wind_kn double")
    return frame.withColumn("predict_date", F.to_date("predict_at"))


class Stage:
    """The inference stage over a lakehouse of its own."""

    def __init__(self, spark, folder) -> None:
        self.spark, self.folder = spark, folder

    def run(self, frame=None, run=RUN, champion=CHAMPION, challengers=(), params=FOUR_WEEKS) -> None:
        frame = gold(self.spark) if frame is None else frame
        frames = {
            "gold_flights": frame.select("key", "predict_at", "predict_date"),
            "gold_features": frame,
        }
        memory = {
            "ml_champion": champion,
            "ml_challengers": list(challengers),
            "run": run,
            "params:inference.due": params,
            "table_versions": {"gold.features": 7, "gold.flights": 8},
        }
        catalog = DataCatalog(
            {name: MemoryDataset(value, copy_mode="assign") for name, value in (frames | memory).items()}
            | {
                "before_ml_predictions": self.table(missing="empty"),
                "ml_predictions": self.table(mode="insert"),
            }
        )
        SequentialRunner().run(create_pipeline(USE_CASE), catalog)

    def table(self, **options) -> DeltaTable:
        return DeltaTable(
            catalog="test",
            root=str(self.folder),
            schema="ml",
            table="predictions",
            contracts=f"{__name__}.CONTRACTS",
            **options,
        )

    @property
    def version(self) -> int:
        return self.table().lakehouse.version("ml.predictions")

    @property
    def scores(self) -> dict[str, float]:
        rows = self.table().load().collect()
        return {row["key"]: pytest.approx(row["score"]) for row in rows}


@pytest.fixture
def stage(spark, tmp_path):
    return Stage(spark, tmp_path)


def test_scores_what_is_due_once_and_what_comes_due_later(stage):
    stage.run()
    assert stage.scores == {"recent": 0.3, "now": 0.6, "last week": 0.5, "late": 0.9}
    row = stage.table().load().where("key = 'now'").first().asDict()
    told = ("role", "model_version", "model_digest", "threshold", "decision", "features_version", "run_id")
    assert [row[name] for name in told] == ["champion", "3", "a" * 64, 0.5, True, 7, "run-1"]
    assert stage.table().load().where("NOT decision").first()["key"] == "recent"
    version = stage.version
    stage.run()
    assert stage.version == version
    stage.run(run=Run("run-2", RUN.as_of + timedelta(hours=1), {}), champion=replace(CHAMPION, version="4"))
    models = {row["key"]: row["model_version"] for row in stage.table().load().collect()}
    assert models == {"recent": "3", "now": "3", "last week": "3", "late": "3", "not due yet": "4"}


def test_challengers_score_in_shadow_whatever_the_champion_has_scored_and_backfills_are_marked(stage):
    stage.run()
    challenger = replace(CHAMPION, version="5", digest="b" * 64, model=constant(0.25))
    stage.run(challengers=[challenger])
    shadow = stage.table().load().where("role = 'challenger'").collect()
    assert {(row["key"], row["model_version"], row["score"]) for row in shadow} == {
        (key, "5", 0.25) for key, _, _ in FLIGHTS
    }
    days = DueParams(lookback_days=28, first_day=date(2013, 9, 1), last_day=date(2013, 9, 25))
    for _ in range(2):
        version = stage.version
        stage.run(params=days)
    assert stage.version == version
    rows = stage.table().load().where("model_version = '3'").collect()
    assert {row["key"]: row["role"] for row in rows} == {
        **{key: "champion" for key, _, _ in FLIGHTS},
        "trained on": "in_sample",
    }


def test_the_champion_has_scored_before_a_challenger_fails(stage):
    broken = replace(CHAMPION, version="5", model=constant(7.0))
    with pytest.raises(Exception, match="No probability for"):
        stage.run(challengers=[broken])
    assert len(stage.scores) == len(FLIGHTS)


def scored(frame, features=None, champion=CHAMPION):
    constants = {"role": F.lit("champion"), "model_version": F.lit(champion.version)}
    due, due_features = frame.withColumns(constants), (features or frame).withColumns(constants)
    (predictions,) = score_due(due, due_features, champion, (), RUN, {"gold.features": 1})
    return predictions.collect()


def test_a_score_at_the_threshold_is_a_positive_decision(spark):
    frame = gold(spark, FLIGHTS[:1])
    assert scored(frame, champion=replace(CHAMPION, model=constant(0.5)))[0]["decision"] is True


@pytest.mark.parametrize("score", [float("nan"), 1.5, -0.1])
def test_a_score_that_is_no_probability_raises_with_the_key(spark, score):
    with pytest.raises(Exception, match="No probability for recent: its score is"):
        scored(gold(spark, FLIGHTS[:1]), champion=replace(CHAMPION, model=constant(score)))


def test_something_due_without_features_raises_with_the_key(spark):
    frame = gold(spark, FLIGHTS[:2])
    with pytest.raises(
        ContractError, match=r"No probability for now: it is due and has no row in gold.features"
    ):
        scored(frame, features=frame.where("key != 'now'"))


@pytest.mark.parametrize("key", ["no such flight", "recent"])
def test_a_row_too_many_of_features_raises_with_the_key(spark, key):
    frame = gold(spark, FLIGHTS[:2])
    more = gold(spark, [(key, 0, 3.0)])
    with pytest.raises(
        ContractError, match=f"No probability for {key}: it has a row too many in gold.features"
    ):
        scored(frame, features=frame.unionByName(more))


def test_features_of_another_flight_do_not_stand_in_for_what_is_due(spark):
    frame = gold(spark, FLIGHTS[:2])
    features = gold(spark, [FLIGHTS[0], ("other", 0, 6.0)])
    with pytest.raises(ContractError, match="No probability for now: it is due and has no row"):
        scored(frame, features=features)


def test_features_that_the_champion_reads_and_gold_lacks_raise_by_name(spark):
    frame = gold(spark, FLIGHTS[:1]).drop("wind_kn")
    with pytest.raises(ContractError, match="lacks wind_kn, which version 3 reads"):
        list(score_due(frame, frame, CHAMPION, (), RUN, {"gold.features": 1}))


def constant(score: float) -> LinearRegression:
    """A model with one score for every row."""
    model = tenth_of_hour()
    model.coef_, model.intercept_ = np.zeros(2), score
    return model
