import math
import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from builders import labelled_frame
from lakehouse_ml.lakehouse.key_digest import digest_of_keys
from lakehouse_ml.lakehouse.tables import EVALUATIONS
from lakehouse_ml.metrics import METRICS, is_higher_better
from lakehouse_ml.model_files import model_digest
from lakehouse_ml.pipelines.evaluation.compare import compare, store_evaluations, tabulate
from lakehouse_ml.pipelines.evaluation.holdout import each_once, holdout
from lakehouse_ml.pipelines.evaluation.measure import groups, measure
from lakehouse_ml.pipelines.evaluation.models import Measured, compared_models
from lakehouse_ml.pipelines.evaluation.params import MeasureParams
from lakehouse_ml.pipelines.evaluation.plots import (
    plot_calibration,
    plot_precision_recall,
    plot_roc,
    plot_slices,
)
from lakehouse_ml.pipelines.evaluation.score import score
from lakehouse_ml.use_case import Costs
from registry_builders import saved_model

PARAMS = MeasureParams(draws=200, slice_rows_min=100)
USE_CASE = SimpleNamespace(
    costs=Costs(false_alarm=1, miss=3),
    slices={
        "carrier": lambda rows: rows["carrier"],
        "is_busy": lambda rows: rows["backlog"].map(lambda value: value > 25, na_action="ignore"),
    },
)
CANDIDATES = {
    "run_id": "r1",
    "as_of": "2013-02-10T00:00:00+00:00",
    "holdout_start": "2013-01-01",
    "holdout_end": "2013-01-31",
    "label_wait_hours": 24,
}
ROWS = labelled_frame(30, 40).rename(columns={"is_late": "label"})


@dataclass
class Logit:
    """A model of the one thing that counts, more or less blurred."""

    blur: float = 0.0

    def predict(self, frame):
        noise = np.random.default_rng(1).normal(size=len(frame))
        logit = (
            -2.3 + 0.03 * frame["backlog"].fillna(20) - 0.04 * (frame["pressure"] - 1015) + self.blur * noise
        )
        return 1 / (1 + np.exp(-logit))


class Answers:
    def __init__(self, answer):
        self.answer = answer

    def predict(self, frame):
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.full(len(frame), self.answer) if np.isscalar(self.answer) else self.answer


def measured(role, model=None, **changes):
    model = model or Logit(blur=0.0 if role == "challenger" else 2.0)
    return Measured(
        role=role, digest=f"digest of {role}", model=model, threshold=0.3, training_rate=0.25,
        trained_until=date(2012, 12, 31), **changes,
    )  # fmt: skip


def models(*roles):
    return {role: measured(role) for role in roles or ("baseline", "challenger", "champion")}


def evaluated(found, rows=ROWS):
    scores = score(rows, found)
    return compare(measure(rows, scores, found, PARAMS, 7, use_case=USE_CASE), found, CANDIDATES)


@pytest.fixture(scope="module")
def evaluations():
    return evaluated(models())


def test_every_model_says_on_which_rows_it_was_measured(evaluations):
    whole = evaluations["slice"] == "all"
    assert set(evaluations.loc[whole, "keys_digest"]) == {digest_of_keys(ROWS["key"])}
    assert set(evaluations.loc[~whole, "keys_digest"]) == {None}
    others = ROWS.assign(key=ROWS["key"] + "x")
    assert set(evaluated(models(), others).loc[whole, "keys_digest"]) == {digest_of_keys(others["key"])}


def value(evaluations, role, metric, compared_to="", slice_="all", slice_value="all"):
    (row,) = evaluations[
        (evaluations["role"] == role)
        & (evaluations["metric"] == metric)
        & (evaluations["compared_to"] == compared_to)
        & (evaluations["slice"] == slice_)
        & (evaluations["slice_value"] == slice_value)
    ].to_dict("records")
    return row


def test_every_model_is_measured_by_every_metric_on_the_same_rows(evaluations):
    whole = evaluations[(evaluations["slice"] == "all") & (evaluations["compared_to"] == "")]
    assert set(zip(whole["role"], whole["metric"], strict=True)) == {
        (role, metric) for role in ("baseline", "challenger", "champion") for metric in METRICS
    }
    assert set(whole["rows"]) == {len(ROWS)}
    assert set(whole["positives"]) == {ROWS["label"].sum()}
    assert set(whole["days"]) == {30}


def test_a_difference_is_that_of_the_values_and_narrower_than_its_parts(evaluations):
    for metric in METRICS:
        one, other = value(evaluations, "challenger", metric), value(evaluations, "baseline", metric)
        difference = value(evaluations, "challenger", metric, "baseline")
        assert difference["value"] == pytest.approx(one["value"] - other["value"])
        assert difference["low"] <= difference["value"] <= difference["high"]
        assert (difference["value"] > 0) == is_higher_better(metric)
    auc = value(evaluations, "challenger", "roc_auc", "baseline")
    parts = [value(evaluations, role, "roc_auc") for role in ("challenger", "baseline")]
    assert auc["low"] > 0
    assert auc["high"] - auc["low"] < sum(part["high"] - part["low"] for part in parts)


def test_identical_models_differ_by_exactly_nothing(evaluations):
    for metric in METRICS:
        row = value(evaluations, "baseline", metric, "champion")
        assert (row["value"], row["low"], row["high"]) == (0, 0, 0)


def test_without_a_champion_its_comparisons_are_absent():
    found = evaluated(models("baseline", "challenger"))
    assert set(found["role"]) == {"baseline", "challenger"}
    assert set(found["compared_to"]) == {"", "baseline"}


def test_rows_carry_the_digests_of_both_models(evaluations):
    row = value(evaluations, "challenger", "roc_auc", "champion")
    assert row["model_digest"] == "digest of challenger"
    assert row["compared_digest"] == "digest of champion"
    assert value(evaluations, "challenger", "roc_auc")["compared_digest"] == ""


def test_slices_split_the_rows_into_large_enough_groups(evaluations):
    carriers = evaluations[(evaluations["slice"] == "carrier") & (evaluations["metric"] == "roc_auc")]
    own = carriers[(carriers["compared_to"] == "") & (carriers["role"] == "champion")]
    counts = ROWS["carrier"].value_counts()
    assert dict(zip(own["slice_value"], own["rows"], strict=True)) == counts[counts >= 100].to_dict()
    assert own["rows"].sum() < len(ROWS)
    assert set(evaluations.loc[evaluations["slice"] == "is_busy", "slice_value"]) == {"True", "False"}
    assert value(evaluations, "challenger", "roc_auc", "baseline", "carrier", "UA")["low"] > 0


def test_a_slice_of_few_days_is_drawn_from_these_days():
    early = ROWS["predict_date"] <= sorted(ROWS["predict_date"].unique())[2]
    found = evaluated(models(), ROWS.assign(carrier=ROWS["carrier"].where(~early, "of three days")))
    row = value(found, "challenger", "average_precision", "baseline", "carrier", "of three days")
    assert row["days"] == 3
    assert row["low"] <= row["value"] <= row["high"]


def test_rows_without_a_group_are_in_none():
    busy = [group for group in groups(ROWS, USE_CASE, 1) if group.slice == "is_busy"]
    assert sum(len(group.rows) for group in busy) == ROWS["backlog"].notna().sum()


def test_the_same_seed_gives_the_same_evaluation_and_another_only_other_intervals(evaluations):
    pd.testing.assert_frame_equal(evaluations, evaluated(models()))
    found = models()
    scores = score(ROWS, found)
    other = compare(measure(ROWS, scores, found, PARAMS, 8, use_case=USE_CASE), found, CANDIDATES)
    pd.testing.assert_series_equal(evaluations["value"], other["value"])
    assert (evaluations["low"] != other["low"]).any()


def test_one_class_leaves_ranking_metrics_undefined_and_not_zero():
    row = value(evaluated(models(), ROWS.assign(label=False)), "challenger", "roc_auc")
    assert math.isnan(row["value"])
    assert math.isnan(row["low"])


def test_a_candidate_that_answers_no_number_has_no_metric_so_that_promotion_refuses_it():
    found = models("baseline", "champion") | {"challenger": measured("challenger", Answers(np.nan))}
    result = evaluated(found)
    assert result.loc[result["role"] == "challenger", "value"].isna().all()
    assert result.loc[(result["role"] == "baseline") & (result["slice"] == "all"), "value"].notna().all()


UNFIT = pytest.mark.parametrize(
    ("answer", "says"),
    [
        (KeyError("backlog"), "cannot score the holdout: KeyError"),
        (1.2, "answers scores outside 0..1"),
        (np.zeros((3, 2)), r"answers shape \(3, 2\)"),
    ],
)


@UNFIT
def test_a_champion_that_cannot_score_stops_the_evaluation(answer, says):
    found = models() | {"champion": measured("champion", Answers(answer))}
    with pytest.raises(RuntimeError, match=f"champion .digest digest of .*{says}.*; it must be taken back"):
        score(ROWS, found)


@UNFIT
def test_a_candidate_that_cannot_score_has_no_metric_and_is_named(answer, says, caplog):
    found = models() | {"challenger": measured("challenger", Answers(answer))}
    scores = score(ROWS, found)
    assert scores["challenger"].isna().all()
    assert scores[["baseline", "champion"]].notna().all().all()
    assert re.search(f"challenger .digest digest of .*{says}", caplog.text)
    result = evaluated(found)
    assert result.loc[result["role"] == "challenger", "value"].isna().all()


@pytest.mark.parametrize(
    ("name", "content"), [("model.skops", b"no archive"), ("MLmodel", b"flavors: {}"), ("MLmodel", b"{")]
)
def test_a_candidate_that_cannot_be_loaded_scores_nothing_and_says_why(stores, name, content):
    models_ = {}
    for role in ("baseline", "challenger"):
        logged = saved_model(stores, role)
        if role == "challenger":
            (Path(logged.uri) / name).write_bytes(content)
        known = {
            "uri": logged.uri,
            "digest": model_digest(Path(logged.uri)),
            "threshold": 0.4,
            "base_rate": 0.2,
        }
        models_[role] = known
    found = compared_models({"models": models_, "train_end": "2013-01-01"}, None)
    frame = pd.DataFrame({"hour": [1.0, 2.0], "wind_kn": [0.0, 1.0]})
    scores = score(frame, found)
    assert list(scores["baseline"]) == pytest.approx([0.1, 0.2])
    assert scores["challenger"].isna().all()
    assert found["challenger"].model.fault


def test_a_champion_that_answers_no_number_stops_the_evaluation():
    with pytest.raises(RuntimeError, match=r"champion .*1200 scores that are no number"):
        score(ROWS, models() | {"champion": measured("champion", Answers(np.nan))})


def test_too_few_draws_are_refused():
    with pytest.raises(ValidationError, match="draws"):
        MeasureParams(draws=10, slice_rows_min=1)


def test_the_table_for_people_has_a_column_per_model_and_difference(evaluations):
    table = tabulate(evaluations)
    assert list(table["metric"]) == sorted(METRICS)
    assert "challenger - champion" in table.columns
    assert table.loc[table["metric"] == "roc_auc", "challenger"].iloc[0].startswith("0.")


def test_figures_have_a_line_per_model_and_few_points(evaluations):
    found = models()
    scores = score(ROWS, found)
    for figure in (
        plot_roc(ROWS, scores),
        plot_precision_recall(ROWS, scores),
        plot_calibration(ROWS, scores),
    ):
        assert {trace.name for trace in figure.data} >= set(found)
        assert max(len(trace.x) for trace in figure.data) <= 300
    shown = plot_slices(evaluations)
    assert {trace.name for trace in shown.data} == set(found)
    assert "carrier: UA" in shown.data[0].x


def test_a_model_without_scores_is_left_out_of_the_figures():
    scores = score(ROWS, models()).assign(challenger=np.nan)
    assert "challenger" not in {trace.name for trace in plot_roc(ROWS, scores).data}


def test_a_row_that_stands_twice_in_place_of_another_stops_the_evaluation():
    assert each_once(ROWS) is ROWS
    swapped = pd.concat([ROWS.iloc[1:], ROWS.iloc[[5]]], ignore_index=True)
    assert len(swapped) == len(ROWS)
    with pytest.raises(
        ValueError, match=rf"1 rows of the holdout stand there again, e\.g\. {ROWS['key'][5]}: "
    ):
        each_once(swapped)


def frames(spark):
    rows = labelled_frame(40, 6)
    names = ["key", "predict_date", "predict_at"]
    entities = rows[[*names, "carrier"]].assign(destination="BOS", scheduled_departure_at=rows["predict_at"])
    labels = rows[["key", "is_late", "label_known_at"]].assign(_revision="a")
    features = rows.drop(columns=["is_late", "label_known_at"])
    return rows, tuple(spark.createDataFrame(frame) for frame in (features, labels, entities))


def test_the_holdout_is_the_labelled_rows_of_its_days_that_had_time_to_get_a_label(spark):
    rows, (features, labels, entities) = frames(spark)
    candidates = CANDIDATES | {"holdout_start": "2013-02-01", "holdout_end": "2013-02-10"}
    found = holdout(candidates, features, labels, entities, label="is_late")
    expected = rows[rows["predict_at"].between("2013-02-01", "2013-02-09")]
    assert found["key"].tolist() == expected["key"].tolist()
    assert found["label"].tolist() == expected["is_late"].tolist()
    assert set(found.columns) > {"destination", "scheduled_departure_at", "backlog"}
    assert found.columns.is_unique
    empty = candidates | {"holdout_start": "2014-02-01", "holdout_end": "2014-02-10"}
    with pytest.raises(ValueError, match="No labelled row in the holdout from 2014-02-01 to 2014-02-10"):
        holdout(empty, features, labels, entities, label="is_late")


def test_undefined_values_are_stored_as_null(spark, evaluations):
    undefined = evaluations.assign(low=np.where(evaluations["metric"] == "cost", np.nan, evaluations["low"]))
    stored = store_evaluations(undefined, spark.range(1))
    EVALUATIONS.check_columns(dict(stored.dtypes))
    rows = stored.collect()
    assert len(rows) == len(evaluations)
    assert {row["metric"] for row in rows if row["low"] is None} == {"cost"}
    assert {row["holdout_end"] for row in rows} == {date(2013, 1, 31)}
    keys = {tuple(row[name] for name in EVALUATIONS.key) for row in rows}
    assert len(keys) == len(rows)


def test_a_champion_that_saw_holdout_days_is_measured_and_says_so():
    seen = replace(measured("champion"), trained_until=date(2013, 1, 20))
    found = evaluated(models("baseline", "challenger") | {"champion": seen})
    assert set(found.loc[found["role"] == "champion", "trained_until"]) == {date(2013, 1, 20)}
    assert value(found, "challenger", "roc_auc", "champion")["value"] is not None
