import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from lakehouse_ml.metrics import METRICS as KNOWN
from lakehouse_ml.replay.comparison import METRICS, WHOLE, Comparison, common_rows
from lakehouse_ml.replay.figures import HEADINGS, fate_rows, policy_rows
from lakehouse_ml.replay.story import Story
from lakehouse_ml.replay.verdict import judged, verdict
from replay_builders import alert, alerts, comparison, scored, story, training


@pytest.fixture(scope="module")
def found() -> Comparison:
    told = alerts(alert("freshness", "2013-05-06", "2013-05-13"), alert("retrain", "2013-05-06"))
    better = story("monthly", skill=1.6, trainings=(training("2013-04-01", "1"), training("2013-05-06", "2")))
    return comparison(story("never", rows=told), better, story("triggered"))


def test_every_metric_of_every_policy_is_measured_whole_and_by_month(found: Comparison) -> None:
    assert set(found.quality["period"]) == {WHOLE, "2013-04-01", "2013-05-01", "2013-06-01", "2013-07-01"}
    assert len(found.quality) == 3 * 5 * len(METRICS)
    assert set(METRICS) <= set(KNOWN)
    assert found.rows == 98 * 60


def test_values_are_those_of_all_rows_and_lie_in_their_intervals(found: Comparison) -> None:
    rows = scored(1.6)
    expected = {
        "average_precision": average_precision_score(rows["label"], rows["score"]),
        "roc_auc": roc_auc_score(rows["label"], rows["score"]),
        "brier_loss": ((rows["score"] - rows["label"]) ** 2).mean(),
        "cost": (rows["decision"] & ~rows["label"]).mean() + 2 * (~rows["decision"] & rows["label"]).mean(),
    }
    for metric, value in expected.items():
        row = found.overall("monthly", metric)
        assert row["value"] == pytest.approx(value)
        assert row["low"] < row["value"] < row["high"]


def test_differences_are_paired_and_those_of_equals_are_nothing(found: Comparison) -> None:
    gap = found.overall("monthly", "average_precision")
    own = found.overall("never", "average_precision")
    assert gap["difference"] == pytest.approx(gap["value"] - own["value"])
    assert 0 < gap["difference_low"] < gap["difference"] < gap["difference_high"]
    same = found.overall("triggered", "average_precision")
    assert (same["difference"], same["difference_low"], same["difference_high"]) == (0, 0, 0)


def test_only_rows_that_every_policy_scored_are_compared() -> None:
    short = story("monthly")
    less = Story(**{**vars(short), "scored": short.scored.iloc[5:].sample(frac=1, random_state=1)})
    rows = common_rows({"never": story("never"), "monthly": less})
    assert len(rows["never"]) == len(rows["monthly"]) == len(short.scored) - 5
    assert rows["never"]["key"].tolist() == rows["monthly"]["key"].tolist()


def test_without_never_there_is_no_difference() -> None:
    alone = comparison(story("monthly"), incidents=())
    assert np.isnan(alone.overall("monthly", "cost")["difference"])
    assert "nothing to compare with" in verdict(alone)


def test_the_verdict_says_what_the_intervals_allow(found: Comparison) -> None:
    assert judged(found, "monthly", "average_precision") == "better than"
    assert judged(found, "monthly", "brier_loss") in ("better than", "worse than", "not told apart from")
    assert judged(found, "triggered", "average_precision") == "not told apart from"
    text = verdict(found)
    assert "Monthly is better than never retraining by average precision (+0." in text
    assert "Triggered is not told apart from never retraining" in text


@pytest.mark.parametrize(
    ("metric", "expected"), [("average_precision", "worse than"), ("cost", "better than")]
)
def test_a_metric_that_is_to_be_low_is_better_when_lower(metric: str, expected: str) -> None:
    rows = {"policy": "monthly", "period": WHOLE, "metric": metric}
    quality = pd.DataFrame([{**rows, "difference": -0.02, "difference_low": -0.03, "difference_high": -0.01}])
    told = Comparison((), (), {}, quality, 0, {})
    assert judged(told, "monthly", metric) == expected


def test_rows_for_people_have_a_cell_for_every_heading(found: Comparison) -> None:
    rows = list(policy_rows(found))
    assert [row[0] for row in rows] == ["never", "monthly", "triggered"]
    assert all(len(row) == len(HEADINGS) + 1 for row in rows)
    assert rows[0][6:] == ("1", "1", "0", "1", "0")
    assert rows[1][6:9] == ("2", "2", "0")
    assert len(list(fate_rows(found))) == 4 * 3
