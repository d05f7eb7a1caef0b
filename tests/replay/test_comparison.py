import re

import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from lakehouse_ml.metrics import METRICS as KNOWN
from lakehouse_ml.replay.comparison import METRICS, WHOLE, Comparison, common_rows, pairs
from lakehouse_ml.replay.figures import DIFFERENCE_HEADINGS, HEADINGS, difference_rows, fate_rows, policy_rows
from lakehouse_ml.replay.steps import ReplayError
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
    values = {policy: found.overall(policy, "average_precision")["value"] for policy in found.stories}
    gap = found.difference("monthly", "never", "average_precision")
    assert gap["value"] == pytest.approx(values["monthly"] - values["never"])
    assert 0 < gap["low"] < gap["value"] < gap["high"]
    same = found.difference("triggered", "never", "average_precision")
    assert (same["value"], same["low"], same["high"]) == (0, 0, 0)


def test_every_pair_of_policies_has_its_difference_in_every_period(found: Comparison) -> None:
    assert pairs(found.stories) == [("monthly", "never"), ("triggered", "never"), ("triggered", "monthly")]
    assert len(found.differences) == 3 * 5 * len(METRICS)
    one = found.difference("monthly", "never", "roc_auc")
    # The third policy's stories are the first's: so are the draws.
    other = found.difference("triggered", "monthly", "roc_auc")
    assert (other["value"], other["low"], other["high"]) == pytest.approx(
        (-one["value"], -one["high"], -one["low"])
    )


def test_only_rows_that_every_policy_scored_are_compared() -> None:
    short = story("monthly")
    less = Story(**{**vars(short), "scored": short.scored.iloc[5:].sample(frac=1, random_state=1)})
    rows = common_rows({"never": story("never"), "monthly": less})
    assert len(rows["never"]) == len(rows["monthly"]) == len(short.scored) - 5
    assert rows["never"]["key"].tolist() == rows["monthly"]["key"].tolist()


def test_policies_without_a_common_row_are_not_compared() -> None:
    without = story("never")
    nothing = Story(**{**vars(without), "scored": without.scored.iloc[:0]})
    with pytest.raises(ReplayError, match=r"\(alone: never 0, monthly 5880\).* play on with a later --to"):
        comparison(nothing, story("monthly"))


def test_of_one_policy_there_is_no_difference() -> None:
    alone = comparison(story("monthly"), incidents=())
    assert alone.differences.empty
    assert "nothing to compare with" in verdict(alone)


def test_the_verdict_says_what_the_intervals_allow(found: Comparison) -> None:
    text = verdict(found)
    number = r"[+-]0\.\d{4}"
    interval = rf"{number} \[{number}, {number}\]"
    assert re.search(rf"Monthly against never: average precision {interval}, better; cost {interval}, ", text)
    assert re.search(rf"Triggered against monthly: average precision {interval}, worse; ", text)
    nothing = "+0.0000 [+0.0000, +0.0000], not told apart"
    assert f"Triggered against never: average precision {nothing}; cost {nothing}." in text


@pytest.mark.parametrize(("metric", "expected"), [("average_precision", "worse"), ("cost", "better")])
def test_a_metric_that_is_to_be_low_is_better_when_lower(metric: str, expected: str) -> None:
    assert judged(pd.Series({"metric": metric, "value": -0.02, "low": -0.03, "high": -0.01})) == expected


def test_rows_for_people_have_a_cell_for_every_heading(found: Comparison) -> None:
    rows = list(policy_rows(found))
    assert [row[0] for row in rows] == ["never", "monthly", "triggered"]
    assert all(len(row) == len(HEADINGS) + 1 for row in rows)
    assert rows[0][5:] == ("1", "1", "0", "1", "0")
    assert rows[1][5:8] == ("2", "2", "0")
    apart = list(difference_rows(found))
    assert [row[0] for row in apart] == [
        "monthly minus never",
        "triggered minus never",
        "triggered minus monthly",
    ]
    assert all(len(row) == len(DIFFERENCE_HEADINGS) for row in apart)
    assert len(list(fate_rows(found))) == 4 * 3
