import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from lakehouse_ml.metrics import (
    METRICS,
    Scored,
    cheapest_threshold,
    draw_days,
    estimate,
    is_higher_better,
    measured,
    number_days,
    resample,
)
from lakehouse_ml.use_case import Costs

COSTS = Costs(false_alarm=1, miss=4)


def scored(label, score, day=None, threshold=0.3, training_rate=0.25):
    day = range(len(label)) if day is None else day
    return Scored(
        np.array(label, bool),
        np.array(score, float),
        number_days(np.array(day)),
        threshold,
        training_rate,
        COSTS,
    )


def sample(n=4000, days=30, skill=1.0, seed=0):
    random = np.random.default_rng(seed)
    label = random.random(n) < 0.25
    score = 1 / (1 + np.exp(-(skill * (label - 0.5) + random.normal(size=n) - 1)))
    return scored(label, score, random.integers(0, days, n))


@st.composite
def weighted_rows(draw):
    n = draw(st.integers(2, 30))
    label = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda rows: len(set(rows)) == 2))
    score = draw(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.25001, 0.5, 0.9, 1.0]), min_size=n, max_size=n))
    weight = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return np.array(label), np.array(score), np.array(weight, float)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("average_precision", reference.average_precision_score),
        ("roc_auc", reference.roc_auc_score),
        ("brier_loss", reference.brier_score_loss),
        ("log_loss", reference.log_loss),
    ],
)
@given(rows=weighted_rows())
def test_agrees_with_scikit_learn_on_rows_drawn_several_times(ours, theirs, rows):
    label, score, weight = rows
    repeated = np.repeat(np.arange(len(label)), weight.astype(int))
    value = resample(ours, scored(label, score), weight[None, :])[0]
    if len(set(label[repeated])) < 2:
        assert np.isnan(value) or ours in ("brier_loss", "log_loss", "average_precision")
        return
    assert value == pytest.approx(theirs(label[repeated], score[repeated]), abs=1e-12)


def test_cost_charges_misses_and_false_alarms_at_the_threshold():
    rows = scored([True, True, False, False], [0.9, 0.29, 0.3, 0.1])
    assert measured(rows, draw_days(4, 0, 0))["cost"].value == pytest.approx((4 + 1) / 4)


def test_brier_skill_is_zero_for_the_training_rate_and_one_for_the_truth():
    times = np.ones((1, 4))
    label = [True, False, False, False]
    assert resample("brier_skill", scored(label, [0.25] * 4), times)[0] == pytest.approx(0)
    assert resample("brier_skill", scored(label, label), times)[0] == pytest.approx(1)


def test_calibration_error_is_the_distance_of_scores_and_rates():
    random = np.random.default_rng(0)
    score = random.random(50_000)
    label = random.random(50_000) < score
    day, times = np.zeros(50_000), np.ones((1, 1))
    assert resample("calibration_error", scored(label, score, day), times)[0] < 0.01
    off = resample("calibration_error", scored(label, np.clip(score + 0.1, 0, 1), day), times)[0]
    assert off == pytest.approx(0.1, abs=0.01)


def test_chance_has_the_base_rate_as_average_precision():
    random = np.random.default_rng(0)
    rows = scored(random.random(20_000) < 0.25, random.random(20_000), np.zeros(20_000))
    assert measured(rows, np.ones((1, 1)))["ap_over_base_rate"].value == pytest.approx(1, abs=0.05)


def test_cost_skill_is_the_share_of_the_cheaper_blind_decision_that_is_saved():
    label = [True, False, False, False]

    def skill(score):
        rows = scored(label, score, day=np.zeros(4, dtype=int), threshold=0.5)
        return resample("cost_skill", rows, np.ones((1, 1)))[0]

    # Always an alarm costs 3, never one costs 4.
    assert skill([0.9, 0.1, 0.1, 0.1]) == 1
    assert skill([0.9, 0.9, 0.9, 0.9]) == 0
    assert skill([0.1, 0.1, 0.1, 0.1]) == pytest.approx(1 - 4 / 3)


def test_direction_follows_from_the_name():
    lower = {name for name in METRICS if not is_higher_better(name)}
    assert lower == {"brier_loss", "log_loss", "calibration_error", "cost"}


@pytest.mark.parametrize(
    ("label", "score"),
    [([], []), ([True, True], [0.1, 0.2]), ([False, False], [0.1, 0.2]), ([True, False], [np.nan, 0.1])],
)
def test_auc_is_undefined_without_rows_both_classes_and_finite_scores(label, score):
    times = draw_days(max(1, len(label)), 10, 0)
    assert np.isnan(estimate(resample("roc_auc", scored(label, score), times))).all()


@pytest.mark.parametrize("metric", METRICS)
def test_no_metric_fails_on_one_class_only_and_ranking_is_undefined_without_positives(metric):
    times = draw_days(2, 10, 0)
    assert resample(metric, scored([True, True], [0.1, 0.2]), times).shape == (11,)
    without = resample(metric, scored([False, False], [0.1, 0.2]), times)
    undefined = ("average_precision", "roc_auc", "ap_over_base_rate", "cost_skill")
    assert np.isnan(without).all() == (metric in undefined)


def test_one_undefined_draw_leaves_the_interval_undefined():
    result = estimate(np.array([0.7, 0.6, np.nan, 0.8]))
    assert result.value == 0.7
    assert np.isnan(result.low)
    assert np.isnan(result.high)


def test_one_day_has_a_value_and_no_interval():
    result = measured(sample(days=1), draw_days(1, 50, 0))["roc_auc"]
    assert np.isfinite(result.value)
    assert np.isnan(result.low)


def test_identical_models_differ_by_exactly_nothing():
    times = draw_days(30, 200, 7)
    for metric in METRICS:
        difference = resample(metric, sample(), times) - resample(metric, sample(), times)
        assert tuple(estimate(difference)) == (0.0, 0.0, 0.0)


def test_the_order_of_rows_changes_nothing():
    rows, times = sample(), draw_days(30, 50, 7)
    shuffled = rows.take(np.random.default_rng(1).permutation(len(rows.label)))
    for metric in METRICS:
        np.testing.assert_allclose(
            resample(metric, shuffled, times), resample(metric, rows, times), rtol=1e-12
        )


def test_draws_depend_on_the_seed_alone():
    np.testing.assert_array_equal(draw_days(30, 20, 7), draw_days(30, 20, 7))
    assert (draw_days(30, 20, 7) != draw_days(30, 20, 8)).any()
    assert (draw_days(30, 20, 7).sum(axis=1) == 30).all()


def test_a_better_model_is_told_from_a_worse_one_by_the_paired_interval():
    times = draw_days(30, 300, 0)
    better = resample("average_precision", sample(skill=1.6), times)
    worse = resample("average_precision", sample(skill=0.8), times)
    assert estimate(better - worse).low > 0
    assert estimate(worse - better).high < 0


def test_intervals_cover_the_true_value_about_as_often_as_they_say():
    truth = resample("roc_auc", sample(n=200_000, seed=99), np.ones((1, 30)))[0]
    times = draw_days(30, 200, 0)
    hits = 0
    for seed in range(60):
        result = estimate(resample("roc_auc", sample(n=1500, seed=seed), times))
        hits += result.low <= truth <= result.high
    assert hits >= 51


def test_days_that_go_up_and_down_together_widen_the_interval():
    random = np.random.default_rng(3)
    day = np.repeat(np.arange(40), 100)
    label = random.random(4000) < np.clip(0.25 + random.normal(0, 0.15, 40), 0.01, 0.9)[day]
    score = np.full(4000, 0.25)
    by_day = estimate(resample("brier_loss", scored(label, score, day), draw_days(40, 200, 0)))
    by_row = estimate(resample("brier_loss", scored(label, score), draw_days(4000, 200, 0)))
    assert by_day.high - by_day.low > 2 * (by_row.high - by_row.low)


@given(rows=weighted_rows(), miss=st.sampled_from([0.5, 1.0, 4.0]))
def test_no_threshold_costs_less_than_the_cheapest(rows, miss):
    label, score, _ = rows
    costs = Costs(false_alarm=1, miss=miss)

    def spent(threshold):
        alarm = score >= threshold
        return (alarm & ~label).sum() + miss * (~alarm & label).sum()

    best = cheapest_threshold(label, score, costs)
    assert 0 <= best <= 1
    # A score of exactly one cannot be left out by a threshold of at most one.
    assert spent(best) <= min(spent(limit) for limit in (*score, 0.0, *([1.1] if score.max() < 1 else [])))
