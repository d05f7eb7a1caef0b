from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from lakehouse_ml.pipelines.monitoring.counting import bin_edges
from lakehouse_ml.pipelines.monitoring.drift import drift_rows
from monitoring_builders import MONDAY, baseline_row, profile_row

TRAINING = np.random.default_rng(1).normal(size=2000)
BEFORE = MONDAY - timedelta(days=7)


def drifts(*profiles: dict, done: set | None = None) -> pd.DataFrame:
    return pd.DataFrame(drift_rows(pd.DataFrame(profiles), done or set()))


def test_every_window_is_compared_with_training_and_with_the_window_before() -> None:
    found = drifts(
        baseline_row(TRAINING),
        profile_row(TRAINING[:500], BEFORE, TRAINING),
        profile_row(TRAINING[500:], MONDAY, TRAINING),
    )
    assert sorted(found["drift_type"]) == ["BASELINE", "BASELINE", "CONSECUTIVE"]
    consecutive = found[found["drift_type"] == "CONSECUTIVE"].iloc[0]
    assert consecutive["window"]["start"].date() == MONDAY
    assert consecutive["window_cmp"]["start"].date() == BEFORE
    assert consecutive["window_cmp"]["end"].date() == MONDAY
    baseline = found[found["drift_type"] == "BASELINE"].iloc[0]
    assert baseline["window_cmp"] is None


def test_a_gap_in_the_windows_is_not_bridged() -> None:
    early = MONDAY - timedelta(days=14)
    found = drifts(profile_row(TRAINING, early, TRAINING), profile_row(TRAINING, MONDAY, TRAINING))
    assert found.empty


def test_a_shift_is_seen_and_the_same_values_are_not() -> None:
    found = drifts(baseline_row(TRAINING), profile_row(TRAINING + 1, MONDAY, TRAINING)).iloc[0]
    same = drifts(baseline_row(TRAINING), profile_row(TRAINING, MONDAY, TRAINING)).iloc[0]
    assert found["population_stability_index"] > 0.5
    assert found["avg_delta"] == pytest.approx(1)
    assert found["ks_test"]["statistic"] > 0.3
    assert found["wasserstein_distance"] == pytest.approx(1, abs=0.4)
    assert same["population_stability_index"] == 0
    assert same["js_distance"] == 0
    assert same["ks_test"]["pvalue"] == 1


def test_categories_have_the_distances_of_categories() -> None:
    found = drifts(baseline_row(["a"] * 60 + ["b"] * 40), profile_row(["a"] * 30 + ["c"] * 70, MONDAY)).iloc[
        0
    ]
    assert found["tv_distance"] == pytest.approx(0.7)
    assert found["l_infinity_distance"] == pytest.approx(0.7)
    assert found["chi_squared_test"]["pvalue"] < 1e-6
    assert found["ks_test"] is None
    assert found["wasserstein_distance"] is None


def test_values_beyond_the_frequent_ones_count_together() -> None:
    cut = {"frequent_items": [{"item": "a", "count": 60}]}
    found = drifts(
        baseline_row(["a"] * 60 + ["b"] * 40, **cut), profile_row(["a"] * 60 + ["c"] * 40, MONDAY, **cut)
    ).iloc[0]
    assert found["tv_distance"] == 0


def test_a_window_without_values_has_missing_ones_and_no_distance() -> None:
    row = profile_row([None] * 50, MONDAY, TRAINING, data_type="double")
    found = drifts(baseline_row(TRAINING), row).iloc[0]
    assert found["percent_null_delta"] == 100
    assert found["population_stability_index"] is None
    assert found["wasserstein_distance"] is None


def test_features_that_came_and_went_are_named_for_the_whole_table() -> None:
    table = {"data_type": "table", "column_name": ":table", "edges": None, "bin_counts": None}
    found = drifts(
        baseline_row(TRAINING, **table, non_null_columns=["x", "y"]),
        profile_row(TRAINING[:50], MONDAY, **table, non_null_columns=["y", "z"]),
    ).iloc[0]
    assert found["non_null_columns_delta"] == {"added": ["z"], "missing": ["x"]}
    assert found["count_delta"] == 50 - len(TRAINING)
    assert found["population_stability_index"] is None


def test_windows_compared_before_are_left_out() -> None:
    profiles = (baseline_row(TRAINING), profile_row(TRAINING, MONDAY, TRAINING))
    assert drifts(*profiles, done={("BASELINE", pd.Timestamp(MONDAY))}).empty


def test_the_order_of_profiles_changes_nothing() -> None:
    profiles = [baseline_row(TRAINING, column_name=n) for n in "ab"]
    profiles += [
        profile_row(TRAINING + 1, day, TRAINING, column_name=n) for n in "ab" for day in (BEFORE, MONDAY)
    ]
    pd.testing.assert_frame_equal(drifts(*profiles), drifts(*reversed(profiles)))


def test_edges_split_skewed_and_discrete_features_where_their_mass_is() -> None:
    assert bin_edges(np.array([0.0, 1.0] * 50), 10) == [0.0]
    assert bin_edges(np.array([0.0] * 2 + [1.0] * 98), 10) == [0.0]
    assert bin_edges(np.array([7.0] * 5), 10) == []
    assert bin_edges(np.array([]), 10) == []
    capped = np.concatenate([np.linspace(0, 9, 30), np.full(70, 10.0)])
    assert bin_edges(capped, 10)[-1] == 9.0
    assert len(bin_edges(TRAINING, 10)) == 9
