from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.quality import (
    Holdouts,
    Standards,
    is_complete,
    is_settled,
    quality_rows,
    waiting_predictions,
)
from lakehouse_ml.pipelines.monitoring.rules import Interval, QualityParams, QualityRule
from lakehouse_ml.pipelines.monitoring.windows import EPOCH, Window, WindowParams, complete_windows
from lakehouse_ml.use_case import Costs
from monitoring_builders import MONDAY, params

PARAMS = QualityParams(**{**params("quality"), "draws": 200})
BEYOND = QualityRule(name="brier_beyond_holdout", metric="brier_loss", beyond_holdout=True)
COSTS = Costs(false_alarm=1.0, miss=3.0)
HOLDOUTS: Holdouts = {"digest": {"brier_loss": Interval(0.10, 0.20)}}


def resolved(
    rows: int = 2100, skill: float = 1.5, seed: int = 0, start: date = MONDAY, **changes: Any
) -> pd.DataFrame:
    """One week of predictions with the truth; ``skill`` 0: the score says nothing."""
    generator = np.random.default_rng(seed)
    label = generator.random(rows) < 0.25
    score = 1 / (1 + np.exp(-(skill * (label * 2.0 - 1) + generator.normal(-0.8, 1, rows))))
    return pd.DataFrame(
        {
            "model_version": "3", "model_digest": "digest", "window_start": start,
            "window_end": start + timedelta(days=7),
            "predict_date": [start + timedelta(days=n % 7) for n in range(rows)],
            "score": score, "threshold": 0.4, "label": pd.Series(label, dtype=object), "is_resolved": True,
            "is_measured": False, **changes,
        }
    )  # fmt: skip


def measure(frame: pd.DataFrame, holdouts: Holdouts = HOLDOUTS, **changes: Any) -> list[Any]:
    return measure_after(frame, Standards(holdouts, {}), **changes)


def measure_after(frame: pd.DataFrame, standards: Standards, **changes: Any) -> list[Any]:
    return list(quality_rows(frame, standards, PARAMS.model_copy(update=changes), seed=1, costs=COSTS))


def test_metrics_are_those_of_scikit_learn_with_intervals_around_them() -> None:
    frame = resolved()
    (row,) = measure(frame)
    truth = frame["label"].astype(bool)
    assert row["roc_auc"] == pytest.approx(roc_auc_score(truth, frame["score"]))
    assert row["average_precision"] == pytest.approx(average_precision_score(truth, frame["score"]))
    assert row["brier_loss"] == pytest.approx(brier_score_loss(truth, frame["score"]))
    for metric in ("roc_auc", "average_precision", "brier_loss", "calibration_error", "cost"):
        assert row[f"{metric}_low"] < row[metric] < row[f"{metric}_high"]
    assert (row["rows"], row["labels"], row["positives"]) == (2100, 2100, int(truth.sum()))
    assert not row["is_violation"]


def test_entities_that_never_get_a_label_count_as_resolved_and_in_no_metric() -> None:
    frame = resolved()
    frame.loc[frame.index[:100], "label"] = None
    (row,) = measure(frame)
    assert (row["labels"], row["rows"]) == (2100, 2100)
    assert row["roc_auc"] == measure(frame.iloc[100:])[0]["roc_auc"]


def test_a_window_that_waits_for_labels_is_not_measured() -> None:
    frame = resolved()
    frame.loc[frame.index[:106], "is_resolved"] = False
    assert not is_complete(frame, PARAMS)
    assert not measure(frame)
    frame.loc[frame.index[:1], "is_resolved"] = True
    assert is_complete(frame, PARAMS)


def test_a_window_with_few_positives_is_not_measured() -> None:
    positives = int((resolved()["label"] == True).sum())  # noqa: E712
    assert measure(resolved(), min_positives=positives)
    assert not measure(resolved(), min_positives=positives + 1)


def test_a_model_promoted_amid_a_week_has_no_complete_window_of_it_and_neither_has_the_one_before() -> None:
    frame = resolved()
    is_early = frame["predict_date"] < MONDAY + timedelta(days=3)
    for part in (frame[~is_early], frame[is_early]):
        assert is_settled(part, PARAMS)
        assert not is_complete(part, PARAMS)
        assert not measure(part)
    both = frame.assign(model_version=np.where(is_early, "3", "4"))
    assert not measure(both)
    sunday = frame["predict_date"] == MONDAY + timedelta(days=6)
    assert is_complete(pd.concat([frame[~sunday], frame[sunday].head(1)]), PARAMS)
    assert not is_complete(frame[~sunday], PARAMS)


def test_a_week_that_a_model_served_in_part_is_waited_for_until_its_outcomes_are_in() -> None:
    early = resolved()
    early = early[early["predict_date"] < MONDAY + timedelta(days=3)]
    frame = pd.concat([early, resolved(model_version="4")], ignore_index=True)
    over, amid = (Run("run", datetime(2013, 9, day, tzinfo=UTC), {}) for day in (23, 22))
    assert set(waiting_predictions(frame, over, PARAMS)["model_version"]) == {"4"}
    assert len(waiting_predictions(frame, amid, PARAMS)) == len(frame)
    waits = frame.assign(is_resolved=frame["model_version"] == "4")
    assert len(waiting_predictions(waits, over, PARAMS)) == len(frame)
    assert waiting_predictions(frame[:0], over, PARAMS).empty


def test_windows_and_versions_are_measured_apart() -> None:
    other = resolved(seed=2, model_version="4", start=MONDAY - timedelta(days=7))
    rows = measure(pd.concat([resolved(), other]))
    assert [(row["model_version"], row["window_start"]) for row in rows] == [
        ("3", MONDAY), ("4", MONDAY - timedelta(days=7)),
    ]  # fmt: skip
    assert {**rows[0]} == {**measure(resolved())[0]}


def test_a_model_without_skill_breaks_the_shipped_rules() -> None:
    (row,) = measure(resolved(skill=0.0))
    assert row["is_violation"]
    assert {"auc_floor", "precision_floor"} <= set(row["broken_rules"])


def test_scores_that_are_shuffled_fall_short_of_what_they_promise_and_sound_ones_do_not() -> None:
    frame, standards = calibrated(), Standards(HOLDOUTS, {"3": (0.0, 0.01)})
    (sound,) = measure_after(frame, standards)
    mixed = np.random.default_rng(0).permutation(frame["score"])
    (row,) = measure_after(frame.assign(score=mixed), standards)
    assert sound["broken_rules"] == []
    assert row["expected_roc_auc"] == pytest.approx(sound["expected_roc_auc"])
    assert "auc_short_of_scores" in row["broken_rules"]


def test_a_rule_about_several_windows_looks_at_those_on_record_and_at_those_measured_now() -> None:
    rule = QualityRule(name="short", metric="roc_auc_shortfall", at_most=0.07, windows=3)
    value = {"roc_auc_shortfall": 0.08}
    assert not rule.is_broken(value, {}, (0.2,))
    assert rule.is_broken(value, {}, (0.0, 0.07, 0.07))
    assert not rule.is_broken(value, {}, (0.9, 0.05, 0.06))
    assert rule.is_broken({"roc_auc_shortfall": None}, {}, (0.0, 0.0))
    weeks = [calibrated(seed=n, start=MONDAY + timedelta(days=7 * n)) for n in range(3)]
    sums = [frame.assign(score=np.random.default_rng(0).beta(1, 3, len(frame))) for frame in weeks]
    rows = measure_after(pd.concat(sums), Standards({}, {}), rules=(rule,))
    assert [row["broken_rules"] for row in rows] == [[], [], ["short"]]
    first = measure_after(sums[0], Standards({}, {"3": (0.3, 0.3)}), rules=(rule,))
    assert first[0]["broken_rules"] == ["short"]


def calibrated(rows: int = 6000, seed: int = 3, start: date = MONDAY) -> pd.DataFrame:
    """A week whose scores are the probabilities that they say they are."""
    generator = np.random.default_rng(seed)
    score = generator.beta(1, 3, rows)
    label = pd.Series(generator.random(rows) < score, dtype=object)
    return resolved(rows, start=start).assign(score=score, label=label)


def test_a_window_wholly_worse_than_the_holdout_breaks_the_rule_and_an_overlapping_one_does_not() -> None:
    beyond = measure(resolved(), {"digest": {"brier_loss": Interval(0.01, 0.02)}}, rules=(BEYOND,))[0]
    assert beyond["broken_rules"] == ["brier_beyond_holdout"]
    better = measure(resolved(), {"digest": {"brier_loss": Interval(0.8, 0.9)}}, rules=(BEYOND,))[0]
    assert not better["is_violation"]


def test_a_model_without_a_holdout_on_record_fails_the_rule_that_needs_one() -> None:
    assert measure(resolved(), {}, rules=(BEYOND,))[0]["broken_rules"] == ["brier_beyond_holdout"]


def test_a_metric_that_does_not_exist_breaks_its_rule() -> None:
    rule = QualityRule(name="floor", metric="roc_auc", at_least=0.6)
    assert rule.is_broken({"roc_auc": None}, {})
    assert rule.is_broken({"roc_auc": 0.59}, {})
    assert not rule.is_broken({"roc_auc": 0.6}, {})
    assert QualityRule(name="cost", metric="cost", at_most=0.5).is_broken({"cost": 0.51}, {})


def test_rules_know_which_side_is_worse() -> None:
    rule = QualityRule(name="auc", metric="roc_auc", beyond_holdout=True)
    low = {"roc_auc": 0.6, "roc_auc_low": 0.55, "roc_auc_high": 0.65}
    assert rule.is_broken(low, {"roc_auc": Interval(0.7, 0.8)})
    assert not rule.is_broken(low, {"roc_auc": Interval(0.4, 0.5)})
    assert rule.is_broken({**low, "roc_auc_low": None}, {"roc_auc": Interval(0.4, 0.5)})


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "none", "metric": "roc_auc"},
        {"name": "both", "metric": "roc_auc", "at_least": 0.6, "at_most": 0.9},
        {"name": "nan", "metric": "roc_auc", "at_least": float("nan")},
        {"name": "misspelt", "metric": "roc_auc", "at_leest": 0.6},
        {"name": "metric", "metric": "auc", "at_least": 0.6},
        {"name": "interval", "metric": "ap_over_base_rate", "beyond_holdout": True},
        {"name": "shortfall", "metric": "roc_auc_shortfall", "beyond_holdout": True},
        {"name": "several", "metric": "roc_auc", "at_least": 0.6, "windows": 3},
    ],
)
def test_rules_that_say_nothing_clear_are_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        QualityRule(**rule)


def test_a_monitor_without_rules_is_refused() -> None:
    with pytest.raises(ValidationError, match="rules"):
        QualityParams(**{**params("quality"), "rules": ()})


def test_windows_are_weeks_from_monday_that_are_over() -> None:
    weeks = WindowParams(days=7, history=2, newest_days=1)
    expected = [Window(date(2013, 9, 16), date(2013, 9, 23)), Window(date(2013, 9, 23), date(2013, 9, 30))]
    assert complete_windows(datetime(2013, 9, 30, tzinfo=UTC), weeks) == expected
    assert complete_windows(datetime(2013, 10, 6, 23, 59, tzinfo=UTC), weeks) == expected
    assert complete_windows(datetime(2013, 10, 7, tzinfo=UTC), weeks)[-1].start == date(2013, 9, 30)
    assert EPOCH.weekday() == expected[0].start.weekday() == 0
