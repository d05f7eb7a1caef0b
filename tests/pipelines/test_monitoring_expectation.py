import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from lakehouse_ml.pipelines.monitoring.expectation import expected_metrics
from lakehouse_ml.use_case import Costs

COSTS = Costs(false_alarm=1.0, miss=3.0)
THRESHOLD = 0.25


def true_metrics(score: np.ndarray, label: np.ndarray) -> dict[str, float]:
    alarm = score >= THRESHOLD
    return {
        "average_precision": average_precision_score(label, score),
        "roc_auc": roc_auc_score(label, score),
        "brier_loss": brier_score_loss(label, score),
        "cost": float(np.mean(np.where(alarm, ~label * 1.0, label * 3.0))),
    }


@given(st.floats(0.5, 4), st.floats(0.5, 6), st.integers(0, 10_000))
def test_of_calibrated_scores_the_estimate_is_the_truth(a: float, b: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    score = generator.beta(a, b, 20_000)
    label = generator.random(len(score)) < score
    expected, truth = expected_metrics(score, THRESHOLD, COSTS), true_metrics(score, label)
    assert expected == pytest.approx(truth, abs=0.04)


@given(st.lists(st.sampled_from([0.1, 0.3, 0.3, 0.8]), min_size=2, max_size=9))
def test_the_auc_is_the_share_of_expected_pairs_ties_counted_half(values: list[float]) -> None:
    score = np.array(values)
    wins = pairs = 0.0
    for i, high in enumerate(score):
        for j, low in enumerate(score):
            if i != j:
                pairs += high * (1 - low)
                wins += high * (1 - low) * (1.0 if high > low else 0.5 if high == low else 0.0)
    assert expected_metrics(score, 0.5, COSTS)["roc_auc"] == pytest.approx(wins / pairs)


def test_it_cannot_see_that_scores_were_shuffled_or_that_the_base_rate_moved() -> None:
    generator = np.random.default_rng(1)
    score = generator.beta(1, 3, 20_000)
    label = generator.random(len(score)) < score
    shuffled = generator.permutation(score)
    assert expected_metrics(shuffled, THRESHOLD, COSTS) == expected_metrics(score, THRESHOLD, COSTS)
    assert true_metrics(shuffled, label)["roc_auc"] == pytest.approx(0.5, abs=0.02)
    more = label | (generator.random(len(score)) < 0.3)
    expected = expected_metrics(score, THRESHOLD, COSTS)
    assert true_metrics(score, more)["brier_loss"] > expected["brier_loss"] + 0.05


def test_what_is_not_defined_is_not_a_number() -> None:
    nothing = expected_metrics(np.array([]), 0.5, COSTS)
    assert all(np.isnan(value) for value in nothing.values())
    never = expected_metrics(np.zeros(5), 0.5, COSTS)
    assert np.isnan(never["roc_auc"])
    assert np.isnan(never["average_precision"])
    assert (never["brier_loss"], never["cost"]) == (0, 0)
