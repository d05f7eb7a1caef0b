"""What a model's quality is expected to be from its scores alone, before any label.

If a score is the probability that it says it is, the expected counts of right and wrong decisions follow from the
scores. That is an estimate, and blind where it matters most: it cannot see that the relation between features and
truth has changed, nor that the base rate moved, nor that scores were shuffled among the rows, since all three leave
the scores as they are. It sees a change of what is asked: easier and harder days.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lakehouse_ml.lakehouse.tables.monitoring import EXPECTED
from lakehouse_ml.use_case import Costs

Floats = NDArray[np.float64]


def expected_metrics(score: Floats, threshold: float, costs: Costs) -> Mapping[str, float]:
    """Expected average precision, AUC, Brier loss and cost, by name; NaN where they are not defined.

    Args:
        score: Calibrated probabilities, shape (n_rows,).
        threshold: Predicted positive from this score on.
        costs: Cost matrix.
    """
    if not len(score):
        return dict.fromkeys(EXPECTED, np.nan)
    ranked = np.sort(score)
    return {
        "average_precision": _average_precision(ranked[::-1]),
        "roc_auc": _roc_auc(ranked),
        "brier_loss": float(np.mean(score * (1 - score))),
        "cost": _cost(score, threshold, costs),
    }


def _roc_auc(ascending: Floats) -> float:
    """Expected pairs of a positive row above a negative one, over all expected pairs; ties count half."""
    values, times = np.unique(ascending, return_counts=True)
    negative, positive = times * (1 - values), times * values
    below = np.cumsum(negative) - negative
    tied = values * (1 - values) * times * (times - 1)
    pairs = positive.sum() * negative.sum() - (values * (1 - values) * times).sum()
    return float(((positive * below).sum() + tied.sum() / 2) / pairs) if pairs > 0 else np.nan


def _average_precision(descending: Floats) -> float:
    """Expected precision at each row given that it is positive, weighted by how likely that is."""
    before = np.cumsum(descending) - descending
    precision = (1 + before) / np.arange(1, len(descending) + 1)
    total = descending.sum()
    return float((descending * precision).sum() / total) if total > 0 else np.nan


def _cost(score: Floats, threshold: float, costs: Costs) -> float:
    alarm = score >= threshold
    return float(np.mean(np.where(alarm, (1 - score) * costs.false_alarm, score * costs.miss)))
