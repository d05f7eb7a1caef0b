from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from lakehouse_ml.pipelines.promotion.shadow import judge_shadow, shadow_rows
from promotion_builders import rules

ASKED = rules(approval={"required": True, "shadow_rows_min": 1000})
START = date(2013, 9, 3)
NOW = datetime(2013, 9, 10, tzinfo=UTC)


def beside(days: int = 7, noise: float = 0.0, per_day: int = 200) -> pd.DataFrame:
    """Scores of a champion that knows the truth well, and of a challenger that knows it with more noise."""
    draw = np.random.default_rng(1)
    label = draw.random(days * per_day) < 0.3
    score = np.clip(0.3 + 0.2 * label + draw.normal(0, 0.15, len(label)), 0, 1)
    shadow = np.clip(score + draw.normal(0, noise, len(label)), 0, 1) if noise else score
    when = [START + timedelta(days=number // per_day) for number in range(len(label))]
    return pd.DataFrame({"predict_date": when, "label": label, "challenger": shadow, "champion": score})


def test_an_equal_version_passes_with_its_interval():
    verdict = judge_shadow(beside(), ASKED, 200, 1)
    assert (verdict.passed, verdict.value, verdict.low, verdict.high) == (True, 0.0, 0.0, 0.0)


def test_a_version_that_may_be_better_passes():
    better = beside(noise=0.2).rename(columns={"challenger": "champion", "champion": "challenger"})
    verdict = judge_shadow(better, ASKED, 200, 1)
    assert verdict.passed
    assert verdict.low is not None
    assert 0 < verdict.low < verdict.value < verdict.high


def test_a_version_that_is_surely_worse_is_refused():
    verdict = judge_shadow(beside(noise=0.3), ASKED, 200, 1)
    assert not verdict.passed
    assert "must be not surely below 0" in str(verdict)


def test_too_few_rows_refuse():
    verdict = judge_shadow(beside(days=4), ASKED, 200, 1)
    assert str(verdict) == "FAILED shadow_keeps_up: 800 (must be >= 1000) labelled rows that both scored"


@pytest.mark.parametrize("days", [2, 3, 6])
def test_few_days_of_which_the_luckiest_is_good_give_no_approval(days):
    lucky, rest = beside(days=days, per_day=1000), beside(days=days, per_day=1000, noise=0.4)
    rest.loc[rest.index[:1000], "challenger"] = lucky["label"][:1000] * 0.5 + 0.2
    verdict = judge_shadow(rest, ASKED, 1000, 1)
    assert verdict.value < 0
    assert not verdict.passed
    assert "must be >= 0 on fewer than 7 days" in str(verdict)
    assert judge_shadow(lucky, ASKED, 1000, 1).passed


def test_one_day_gives_no_interval_and_no_approval():
    verdict = judge_shadow(beside(days=1, per_day=2000), ASKED, 200, 1)
    assert not verdict.passed
    assert "must be days with both outcomes, at least two" in str(verdict)


def test_only_what_both_scored_and_whose_truth_is_known_counts(spark):
    scores = [
        ("both", "champion", "1", 0.4), ("both", "challenger", "2", 0.6), ("both", "in_sample", "2", 0.9),
        ("older champion", "champion", "0", 0.4), ("older champion", "challenger", "2", 0.6),
        ("alone", "challenger", "2", 0.6), ("not yet", "champion", "1", 0.1), ("not yet", "challenger", "2", 0.2),
    ]  # fmt: skip
    columns = "key string, role string, model_version string, score double, predict_date date"
    predictions = spark.createDataFrame([(*row, START) for row in scores], columns)
    known = [("both", NOW), ("older champion", NOW), ("alone", NOW), ("not yet", NOW + timedelta(hours=1))]
    labels = spark.createDataFrame(
        [(key, True, at, "r") for key, at in known],
        "key string, is_late boolean, label_known_at timestamp, _revision string",
    )
    rows = shadow_rows(predictions, labels, "2", "1", label="is_late", known_until=NOW)
    assert rows.to_dict("records") == [
        {"key": "both", "predict_date": START, "label": True, "challenger": 0.6, "champion": 0.4}
    ]
