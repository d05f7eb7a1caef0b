import json
from dataclasses import replace
from datetime import UTC, datetime

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import Model

from builders import training_params, training_rows
from lakehouse_ml.datasets.study_folder import Studies
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.flights.model import COSTS, ESTIMATORS
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import TRIALS
from lakehouse_ml.model_files import candidate_folder, load_candidate, model_digest
from lakehouse_ml.pipelines.training.facts import training_facts
from lakehouse_ml.pipelines.training.split import features_of
from lakehouse_ml.pipelines.training.tracking import log_candidates
from lakehouse_ml.pipelines.training.train import train
from lakehouse_ml.pipelines.training.trials import trials
from lakehouse_ml.pipelines.training.tune import tune

RUN = Run("run-1", datetime(2013, 2, 10, tzinfo=UTC), {"silver.timetable": 4})
VERSIONS = {"gold.features": 7, "gold.labels": 3, "silver.weather": 9}
ROWS, PARAMS = training_rows(), training_params()


@pytest.fixture(scope="module")
def work(mlflow_template, tmp_path_factory):
    """A finished training, logged to a store of its own: rows, studies, fitted, facts, candidates."""
    from registry_builders import make_stores

    stores = make_stores(mlflow_template, tmp_path_factory.mktemp("stores"))
    mlflow.set_tracking_uri(stores.tracking_uri)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("t", str(stores.folder / "artifacts")))
    studies = [tune(ROWS, Studies(stores.folder), PARAMS, 1, estimator=e) for e in ESTIMATORS]
    pairs = zip(studies, ESTIMATORS, strict=True)
    fitted = [train(ROWS, study, PARAMS, 1, estimator=e, costs=COSTS) for study, e in pairs]
    facts = training_facts(ROWS, RUN, VERSIONS, PARAMS, 1, use_case=USE_CASE)
    yield {"studies": studies, "fitted": fitted, "candidates": log_candidates(facts, ROWS, *fitted, *studies)}
    mlflow.set_tracking_uri("")


def test_the_hand_over_says_what_evaluation_and_promotion_need(work):
    from lakehouse_ml.pipelines.promotion.evidence import Trained

    candidates = json.loads(json.dumps(work["candidates"]))
    assert Trained.model_validate(candidates).holdout_start.isoformat() == "2013-02-03"
    assert candidates["train_start"] == "2013-01-01"
    assert candidates["train_end"] == "2013-02-02"
    assert candidates["label_cutoff"] == "2013-02-03T00:00:00+00:00"
    assert candidates["input_versions"] == {"gold.features": 7, "gold.labels": 3}
    assert set(candidates["models"]) == {"baseline", "challenger"}


def test_a_logged_model_predicts_as_it_was_fitted(work):
    for fitted in work["fitted"]:
        logged = load_candidate(work["candidates"]["models"][fitted.role]["uri"])
        np.testing.assert_array_equal(logged.predict(ROWS), fitted.model.predict(ROWS))


def test_a_logged_model_is_served_with_the_probability_gaps_and_unknown_categories(work):
    row = features_of(ROWS).head(2).astype({"carrier": object})
    row.loc[0, "carrier"], row.loc[1, "backlog"], row.loc[1, "origin"] = None, np.nan, "nowhere"
    for fitted in work["fitted"]:
        served = mlflow.pyfunc.load_model(work["candidates"]["models"][fitted.role]["uri"])
        np.testing.assert_array_equal(served.predict(row), fitted.model.predict(row))


def test_a_request_without_a_feature_is_refused_by_name(work):
    served = mlflow.pyfunc.load_model(work["candidates"]["models"]["challenger"]["uri"])
    with pytest.raises(mlflow.exceptions.MlflowException, match="pressure"):
        served.predict(pd.DataFrame({"backlog": ["many"]}))


def test_the_digest_is_that_of_the_logged_files(work):
    for model in work["candidates"]["models"].values():
        assert model["digest"] == model_digest(candidate_folder(model["uri"]))


def test_a_logged_model_carries_signature_example_and_metadata(work):
    model = work["candidates"]["models"]["challenger"]
    logged = Model.load(str(candidate_folder(model["uri"])))
    assert logged.signature.inputs.input_names() == list(features_of(ROWS).columns)
    assert logged.saved_input_example_info is not None
    assert logged.flavors["sklearn"]["serialization_format"] == "skops"
    assert logged.metadata == {
        "role": "challenger",
        "threshold": model["threshold"],
        "trained_from": "2013-01-01",
        "trained_until": "2013-02-02",
        "base_rate": model["base_rate"],
        "feature_fingerprint": work["candidates"]["feature_fingerprint"],
        "seed": 1,
    }


def test_the_run_tells_parameters_versions_commit_and_pins(work):
    run = mlflow.get_run(work["candidates"]["mlflow_run_id"])
    assert run.data.params["training.holdout_days"] == "7"
    assert run.data.params["training.tuning.trials.baseline"] == "3"
    assert run.data.params["random_seed"] == "1"
    assert run.data.tags["version.gold.features"] == "7"
    assert run.data.tags["version.silver.timetable"] == "4"
    assert len(run.data.tags["git_commit"].removesuffix("-dirty")) == 40
    assert len(run.data.tags["pins_hash"]) == 64
    assert "challenger.validation_average_precision" in run.data.metrics
    names = {a.path for a in mlflow.MlflowClient().list_artifacts(run.info.run_id, "plots")}
    assert names == {"plots/tuning.html"}


def test_every_trial_is_a_finished_child_run(work):
    parent = work["candidates"]["mlflow_run_id"]
    children = mlflow.search_runs(
        filter_string=f"tags.`mlflow.parentRunId` = '{parent}'",
        output_format="list",
        search_all_experiments=True,
    )
    assert {run.info.run_name for run in children} == {
        f"{role}-{n:02}" for role in ("baseline", "challenger") for n in range(3)
    }
    assert {run.info.status for run in children} == {"FINISHED"}
    assert all(run.data.params and run.data.metrics for run in children)


def test_what_training_found_odd_is_told_in_the_log_and_on_the_run(work, caplog):
    facts = training_facts(ROWS, RUN, VERSIONS, PARAMS, 1, use_case=USE_CASE)
    baseline, challenger = (replace(fitted, warnings=()) for fitted in work["fitted"])
    odd = replace(challenger, warnings=("max_features on its bound 0.1", "max_iter on its bound 5"))
    candidates = log_candidates(facts, ROWS, baseline, odd, *work["studies"])
    told = "max_features on its bound 0.1; max_iter on its bound 5"
    tags = mlflow.get_run(candidates["mlflow_run_id"]).data.tags
    assert tags["challenger.warnings"] == told
    assert "baseline.warnings" not in tags
    assert [
        record.getMessage() for record in caplog.records if record.name.endswith("training.tracking")
    ] == [f"challenger: {told}"]


def test_no_run_stays_open(work):
    assert mlflow.active_run() is None
    assert mlflow.get_run(work["candidates"]["mlflow_run_id"]).info.status == "FINISHED"


def test_the_jobs_own_run_is_used_and_left_open(work):
    facts = training_facts(ROWS, RUN, VERSIONS, PARAMS, 1, use_case=USE_CASE)
    with mlflow.start_run() as job:
        candidates = log_candidates(facts, ROWS, *work["fitted"], *work["studies"])
        assert mlflow.active_run().info.run_id == job.info.run_id == candidates["mlflow_run_id"]


def test_trials_become_rows_of_their_table(spark, work):
    found = trials(spark.range(1), RUN, *work["studies"])
    TRIALS.check_columns(dict(found.dtypes))
    rows = found.collect()
    assert len(rows) == 6
    assert {row["role"] for row in rows} == {"baseline", "challenger"}
    assert all((row["value"] is not None) == (row["state"] == "COMPLETE") for row in rows)
    assert set(json.loads(rows[0]["params"])) == {"C"}
