"""Another use case through all stages: none of them knows about flights."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import toy
from lakehouse_ml.cli import skew as cli_skew
from lakehouse_ml.cli import trace as cli_trace
from lakehouse_ml.cli.retraining import answer_request
from lakehouse_ml.datasets.refresh import forget
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import RETRAIN_DECISIONS
from lakehouse_ml.pipelines import (
    evaluation,
    feature_engineering,
    inference,
    ingestion,
    monitoring,
    promotion,
    training,
)
from lakehouse_ml.pipelines.inference.score import score_due
from lakehouse_ml.pipelines.monitoring.frames import to_frame
from lakehouse_ml.pipelines.monitoring.situation import read_decisions
from lakehouse_ml.serving.columns import request_columns
from lakehouse_ml.trace.answers import answer_again, by_version, newest_answers
from lakehouse_ml.trace.entity import TraceError, features_of, lines_about, predictions_of
from lakehouse_ml.trace.explain import explain
from lakehouse_ml.trace.lineage import decision_on, trained_for, version_chain
from lakehouse_ml.trace.rebuild import compared, features_again, training_rows
from lakehouse_ml.trace.skew import (
    Batch,
    Compared,
    NotCompared,
    compare,
    features_of_rows,
    late_files,
    sampled,
    served_batches,
)
from project_builders import Project
from serving_builders import answering

LOOP = (ingestion, feature_engineering, training, evaluation, promotion, inference, monitoring)
AS_OF = datetime(2024, 3, 12, tzinfo=UTC)
DAILY = (ingestion, feature_engineering, inference, monitoring)

pytestmark = pytest.mark.loop


class Shop(Project):
    """The real conf, but for the values that name sources and features of flights."""

    def config_loader(self, params: dict[str, Any] | None = None) -> OmegaConfigLoader:
        loader = super().config_loader(params)
        parameters = loader["parameters"]
        for stage in (parameters["monitoring"], parameters["promotion"]["rules"]):
            stage["data"]["max_hours"] = {"visits": 30, "sales": 30}
        parameters["monitoring"]["data"]["no_fixed_time"] = []
        parameters["monitoring"]["drift"]["rules"][0] |= {
            "features": ["shop_name", "pages_seen"],
            "but_not": [],
        }
        loader["parameters"] = parameters
        return loader


@pytest.fixture(scope="module")
def shop(
    spark: SparkSession, place: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, DataCatalog]]:
    """The loop over seventy days, of which the test environment holds three weeks out, then a day more."""
    folder = tmp_path_factory.mktemp("shop")
    project = Shop(folder, toy.USE_CASE, contracts="toy.CONTRACTS", model_name="sale", **place)
    toy.play(project.landing, range(70))
    (folder / "mlflow").mkdir()
    conf = project.config_loader()["mlflow"]
    mlflow.set_tracking_uri(conf["server"]["mlflow_tracking_uri"])
    mlflow.set_registry_uri(conf["server"]["mlflow_registry_uri"])
    mlflow.set_experiment(conf["tracking"]["experiment"]["name"])
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
    rows = shop[0].table("ops.promotion_ledger").orderBy("sequence").collect()
    assert [(row["event"], row["decision"]) for row in rows] == [
        ("decided", "promoted"),
        ("moved", "promoted"),
    ]
    assert rows[-1]["champion_after"] == "1"


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


def test_a_prediction_is_explained_back_to_its_lines_and_its_score_is_the_same_again(
    shop: tuple[Project, DataCatalog],
) -> None:
    project, catalog = shop
    key = project.table("ml.predictions").where("role = 'champion'").first()["key"]
    prediction = predictions_of(key, project.table("ml.predictions"))[0]
    silver = {name: project.table(f"silver.{name}") for name in ("visits", "sales")}
    lines = lines_about(key, toy.USE_CASE, silver, silver)
    assert [line.source for line in lines] == ["visits", "sales"]
    champion = catalog.load("ml_champion")
    row = features_of(key, project.table("gold.features"), champion.feature_names)
    found = explain(prediction, lines, row, champion.model, catalog.load("golden_rows")[champion.digest], 1)
    assert found.is_same
    assert [found.was_known(line) for line in lines] == [True, False]
    assert set(found.parts.index) == {"shop_name", "pages_seen"}


def test_a_key_that_nobody_asked_about_is_refused(shop: tuple[Project, DataCatalog]) -> None:
    with pytest.raises(TraceError, match=r"nobody: ml\.predictions has no row"):
        predictions_of("nobody", shop[0].table("ml.predictions"))


def test_the_chain_of_a_version_ends_in_landing_files(shop: tuple[Project, DataCatalog]) -> None:
    project, catalog = shop
    state = catalog.load("promotion_ledger").state()
    told = str(version_chain("1", state, project.table("ops.ingestion_log")))
    for word in (
        "gold.features at version",
        "silver.visits at version",
        "visits/2024-01-01.jsonl.gz",
        "moved promoted",
    ):
        assert word in told, word
    with pytest.raises(TraceError, match="Version 9 is in no row"):
        version_chain("9", state, project.table("ops.ingestion_log"))


def test_a_version_made_again_from_silver_is_the_same_model(shop: tuple[Project, DataCatalog]) -> None:
    _, catalog = shop
    decision = decision_on("1", catalog.load("promotion_ledger").state())
    trained = trained_for(decision)
    versions = trained["source_versions"]
    silver = {
        name: catalog[f"silver_{name}"].load_version(versions[f"silver.{name}"])
        for name in ("visits", "sales")
    }
    rows = training_rows(trained, toy.USE_CASE, silver)
    role, registered = str(decision.elected), catalog.load("ml_champion").model
    found = compared(trained, role, registered, rows, toy.USE_CASE)
    assert found.is_equal, found
    fewer = compared(trained, role, registered, rows.iloc[:-500], toy.USE_CASE)
    assert not fewer.is_equal
    assert f"training rows: {len(rows)} then, {len(rows) - 500} now" in fewer.causes


def test_served_scores_are_the_same_when_made_again_from_the_versions_that_they_saw(
    shop: tuple[Project, DataCatalog],
) -> None:
    project, catalog = shop
    predictions = project.table("ml.predictions")
    champion = catalog.load("ml_champion")
    names, today = champion.feature_names, project.table("gold.features")
    first, second = served_batches(predictions, project.table("ops.runs"), toy.START.date())
    assert (len(first.days), len(second.days)) == (21, 1)
    for batch in (first, second):
        silver = {name: at_version(project, f"silver.{name}", batch) for name in ("visits", "sales")}
        seen = project.table("gold.features", batch.features_version)
        again = features_again(list(batch.days), batch.run, toy.USE_CASE, silver)
        keys = sampled(predictions, batch, 100)
        rows = [features_of_rows(table, keys, names) for table in (seen, again, today)]
        found = compare(batch, keys.toPandas(), *rows, champion.model)
        assert 50 < found.rows <= 200
        assert (found.equal_share, found.restated, found.differing) == (1, 0, ())
    tables = {name: project.table(f"silver.{name}") for name in ("visits", "sales")}
    seen = [
        {name: at_version(project, f"silver.{name}", batch) for name in tables} for batch in (first, second)
    ]
    # The newest day's file can have changed that day, and no day before.
    assert late_files(first, toy.USE_CASE, tables, seen[0]) == ()
    assert late_files(second, toy.USE_CASE, tables, seen[1]) == ()
    reached = replace(first, days=second.days)
    assert late_files(reached, toy.USE_CASE, tables, seen[0]) == ("visits/2024-03-11.jsonl.gz",)


def at_version(project: Project, name: str, batch: Batch) -> DataFrame:
    return project.table(name, batch.run.versions[name])


@pytest.fixture(scope="module")
def answered(shop: tuple[Project, DataCatalog]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Everything that batch inference scored, with its features; and the server's answers to the same rows."""
    project, catalog = shop
    scored = project.table("ml.predictions").where("role = 'champion'").select("key", "score", "decision")
    names = ["key", *toy.USE_CASE.feature_names]
    rows = scored.join(project.table("gold.features").select(*names), "key").orderBy("key").toPandas()
    return rows, asked(rows[names], catalog, project.landing)


def asked(rows: pd.DataFrame, catalog: DataCatalog, landing: Path) -> pd.DataFrame:
    """The server's answer to feature rows."""
    said = {"dataframe_split": rows.to_dict(orient="split"), "client_request_id": "parity"}
    with answering(toy.USE_CASE, catalog.load("model_registry"), landing) as url:
        answer = requests.post(f"{url}/invocations", json=said, timeout=60).json()
    return pd.DataFrame(answer["predictions"])


def test_batch_http_and_the_model_itself_give_the_same_scores(
    shop: tuple[Project, DataCatalog], answered: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    champion, (batch, http) = shop[1].load("ml_champion"), answered
    itself = champion.model.predict(batch[list(champion.feature_names)])
    assert len(batch) > 1000
    assert http["key"].tolist() == batch["key"].tolist()
    assert http["score"].tolist() == batch["score"].tolist() == itself.tolist()
    assert http["decision"].tolist() == batch["decision"].tolist() == (itself >= champion.threshold).tolist()


def test_ten_thousand_rows_have_the_very_same_scores_by_batch_over_http_and_by_the_model_itself(
    shop: tuple[Project, DataCatalog], spark: SparkSession, tmp_path: Path
) -> None:
    champion = shop[1].load("ml_champion")
    rows = many_rows(10_000)
    features = spark.createDataFrame(rows, "key string, shop_name string, pages_seen double")
    features = features.withColumns({"predict_at": F.lit(AS_OF), "predict_date": F.lit(AS_OF.date())})
    due = features.withColumns({"role": F.lit("champion"), "model_version": F.lit(champion.version)})
    run = Run("parity", AS_OF, {})
    (scored,) = score_due(due, due.repartition(3), champion, [], run, {"gold.features": 0})
    batch = scored.toPandas().set_index("key").loc[rows["key"]]
    http = asked(rows, shop[1], tmp_path)
    itself = champion.model.predict(rows[list(champion.feature_names)])
    assert len(set(itself)) > 20
    assert batch["score"].tolist() == http["score"].tolist() == itself.tolist()
    assert batch["decision"].tolist() == http["decision"].tolist() == (itself >= champion.threshold).tolist()


def many_rows(number: int) -> pd.DataFrame:
    """Feature rows of the toy, a few values of each missing."""
    random = np.random.default_rng(0)
    pages = pd.Series(random.uniform(0, 40, number))
    shops = pd.Series(random.choice(["north", "south", "new"], number), dtype=object)
    return pd.DataFrame(
        {
            "key": [f"row {n}" for n in range(number)],
            "shop_name": shops.where(random.random(number) > 0.05, None),
            "pages_seen": pages.where(random.random(number) > 0.05)
            .astype(object)
            .where(lambda of: of.notna(), None),
        }
    )


def test_requests_are_ingested_like_any_source_and_do_not_tell_the_time(
    shop: tuple[Project, DataCatalog], answered: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    project, (batch, _) = shop[0], answered
    now = project.rows("ops.runs", "as_of")[-1]
    project.land(f"requests/{datetime.now(UTC):%Y-%m-%dT%H}-killed-0.jsonl.gz", '{"request_id": "cut o')
    project.run(ingestion)
    assert project.rows("ops.runs", "as_of")[-1] == now
    found = project.table("silver.requests").orderBy("row_number").toPandas()
    assert found["key"].tolist() == batch["key"].tolist()
    assert found["score"].tolist() == batch["score"].tolist()
    assert set(found["client_request_id"]) == {"parity"}
    sent = pd.DataFrame([dict(features) for features in found["features"]])
    assert sent["pages_seen"].map(json.loads).tolist() == batch["pages_seen"].tolist()
    assert sent["shop_name"].tolist() == batch["shop_name"].tolist()
    assert project.table("quarantine.lines").where("source = 'requests'").count() == 1
    ((version, own),) = by_version(newest_answers(project.table("silver.requests"), 1, len(found)))
    columns, gold = request_columns(toy.USE_CASE), project.table("gold.features")
    today = features_of_rows(gold, gold, toy.USE_CASE.feature_names)
    again = answer_again(own, shop[1].load("model_registry").load(version), columns, today)
    assert again.made_again == again.equal == again.as_gold == len(found)
    assert again.differing == ()


def ask_for_training(catalog: DataCatalog) -> None:
    """The decision that a controller would write, after the last one."""
    (last,) = read_decisions(catalog.load("ops_retrain_decisions"))
    assert last.outcome == "none"
    request = asdict(last) | {
        "sequence": 2,
        "outcome": "requested",
        "request_key": "k" * 64,
        "run_id": "run-2",
    }
    before = catalog.load("before_ops_retrain_decisions")
    catalog.save("ops_retrain_decisions", to_frame(before, [request], RETRAIN_DECISIONS))


def test_a_request_starts_one_training_also_after_a_kill(shop: tuple[Project, DataCatalog]) -> None:
    project, catalog = shop
    trained: list[str] = []

    def train() -> None:
        trained.append("once")
        with mlflow.start_run():
            project.run(training, evaluation, promotion)

    def killed() -> None:
        raise KeyboardInterrupt

    assert answer_request(catalog, train).startswith("Nothing to train: no new model is due since 2024-03-11")
    ask_for_training(catalog)
    with pytest.raises(KeyboardInterrupt):
        answer_request(catalog, killed)
    told = answer_request(catalog, train)
    assert (
        told == "Request kkkkkkkkkkkk is answered: row 3 of the ledger, refused, as of 2024-03-12 00:00 UTC"
    )
    again = answer_request(catalog, train)
    assert again == (
        "Nothing to train: request kkkkkkkkkkkk of 2024-03-11 00:00 UTC was answered: row 3 of the ledger, "
        "refused, as of 2024-03-12 00:00 UTC"
    )
    assert trained == ["once"]


@pytest.fixture
def context(shop: tuple[Project, DataCatalog], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the commands of the way back are given, for this use case."""
    for command in (cli_skew, cli_trace):
        monkeypatch.setattr(command, "USE_CASE", toy.USE_CASE)
    return SimpleNamespace(catalog=shop[0].catalog(), params={"random_seed": 1})


def made_again(context: Any) -> list[Compared | NotCompared]:
    batches = cli_skew._batches(context, days=400)
    return [cli_skew._compared(context, batch, 100) for batch in batches]


def test_a_batch_of_versions_that_are_gone_is_not_compared_and_its_explanation_says_why(context: Any) -> None:
    batch, *_ = cli_skew._batches(context, days=400)
    found = cli_skew._compared(context, replace(batch, features_version=99), 100)
    assert isinstance(found, NotCompared)
    assert "gold.features cannot be read at version 99" in found.why


@pytest.mark.parametrize("layer", ["gold", "silver"])
def test_scores_are_explained_and_the_same_when_made_again_also_after_their_layer_was_built_again(
    shop: tuple[Project, DataCatalog], context: Any, layer: str
) -> None:
    project, catalog = shop
    names = [
        table.replace(".", "_") for table in toy.CONTRACTS if table.startswith(("silver", "quar", "gold"))
    ]
    before = project.versions("gold")
    forget(project.lakehouse, layer, [catalog[name] for name in names])
    assert project.table("gold.features").count() == 0
    project.run(ingestion, feature_engineering)
    assert project.table("gold.features").count() == 71 * 200
    assert all(version > before[table] for table, version in project.versions("gold").items())
    for found in made_again(context):
        assert isinstance(found, Compared), found
        assert (found.equal_share, found.restated) == (1, 0)
        assert len(found.doubts) == (2 if layer == "silver" else 0)
    key = project.table("ml.predictions").where("role = 'champion'").first()["key"]
    assert cli_trace.explanation_of(key, context).is_same
    decision = decision_on("1", catalog.load("promotion_ledger").state())
    trained = trained_for(decision)
    silver = cli_trace.recorded_silver(context, trained["run_id"]).silver
    rows = training_rows(trained, toy.USE_CASE, silver)
    assert compared(
        trained, str(decision.elected), catalog.load("ml_champion").model, rows, toy.USE_CASE
    ).is_equal


def test_a_correction_that_landed_after_the_score_was_not_known_though_it_was_published_before(
    shop: tuple[Project, DataCatalog], context: Any
) -> None:
    project, _ = shop
    key = project.table("ml.predictions").where("role = 'champion'").first()["key"]
    at = predictions_of(key, project.table("ml.predictions"))[0].predict_at
    published = {"published_at": f"{at - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"}
    corrected = f"visits/{at:%Y-%m-%d}-corrected.jsonl.gz"
    project.land(corrected, json.dumps({"visit": int(key), "shop": "north", "pages": 99} | published))
    project.run(ingestion)
    found = cli_trace.explanation_of(key, context)
    assert [
        (line.file == corrected, found.was_known(line)) for line in found.lines if line.source == "visits"
    ] == [
        (True, False),
        (False, True),
    ]
    chain = str(cli_trace._prediction_chain(key, context))
    assert f"visits/{at:%Y-%m-%d}.jsonl.gz" in chain
    assert corrected not in chain
