"""How good scores are: metrics, their day-block bootstrap intervals and the cost-optimal threshold.

Rows of one day share weather and delays and are not independent, so intervals resample whole days. A metric
takes many draws at once: ``times``, how often each day was drawn, float64, shape (n_draws, n_days). It works
on sums per day, so that a draw costs little more than a look at every day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakehouse_ml.use_case import Costs

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

CALIBRATION_BINS = 10
# Draws are taken in chunks that stay within the processor's cache.
_CHUNK_CELLS = 1 << 18
_LOWER_IS_BETTER = ("_loss", "_error", "cost")


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of one model beside the truth.

    Attributes:
        label: Truth, shape (n_rows,).
        score: Probability of the positive class, shape (n_rows,).
        day: Number of every row's day from 0, shape (n_rows,); see :func:`number_days`.
        threshold: Predicted positive from this score on.
        training_rate: Share of positive rows that the model was trained on.
        costs: Cost matrix.
    """

    label: Flags
    score: Floats
    day: Integers
    threshold: float
    training_rate: float
    costs: Costs

    def take(self, rows: Flags | Integers) -> "Scored":
        """The same model on some of the rows; days keep their numbers."""
        return Scored(
            self.label[rows], self.score[rows], self.day[rows], self.threshold, self.training_rate, self.costs
        )

    @cached_property
    def ranks(self) -> Integers:
        """Place of every row from the highest score down, from 1; rows of one score share the last place."""
        ascending = np.sort(self.score)
        return len(ascending) - np.searchsorted(ascending, self.score, side="left").astype(np.int64)

    @cached_property
    def positive_ranks(self) -> Integers:
        """The places at which there are positive rows, from the top."""
        return np.unique(self.ranks[self.label])

    def counts_above(self, which: Flags, n_days: int, places: Integers) -> Floats:
        """Rows at or above each place, by their day: shape (n_days, n_places)."""
        sorted_rows = np.lexsort((self.ranks, self.day))
        chosen = sorted_rows[which[sorted_rows]]
        ends = np.searchsorted(self.day[chosen], np.arange(1, n_days))
        by_day = np.split(self.ranks[chosen], ends)
        return np.array([np.searchsorted(ranks, places, side="right") for ranks in by_day], dtype=np.float64)


Metric = Callable[[Scored, Floats], Floats]


def roc_auc(scored: Scored, times: Floats) -> Floats:
    """Probability that a positive row scores above a negative one; ties count half."""
    n_days, places = times.shape[1], scored.positive_ranks
    positives = np.diff(scored.counts_above(scored.label, n_days, places), axis=1, prepend=0)
    negatives = scored.counts_above(~scored.label, n_days, np.append(places, len(scored.label)))
    ties = scored.counts_above(~scored.label & np.isin(scored.ranks, places), n_days, places)
    ties = np.diff(ties, axis=1, prepend=0)
    below = negatives[:, -1:] - negatives[:, :-1] + ties / 2
    # wins[d, e]: pairs of a positive row of day d above a negative row of day e.
    wins = positives @ below.T
    pairs = (times @ positives.sum(axis=1)) * (times @ negatives[:, -1])
    return ((times @ wins) * times).sum(axis=1) / pairs


def average_precision(scored: Scored, times: Floats) -> Floats:
    """Precision averaged over the positive rows, from the highest score down."""
    n_days, places = times.shape[1], scored.positive_ranks
    positive = scored.counts_above(scored.label, n_days, places)
    every = scored.counts_above(np.ones_like(scored.label), n_days, places)
    step = max(1, _CHUNK_CELLS // max(1, len(places)))
    chunks = [times[start : start + step] for start in range(0, len(times), step)]
    return np.concatenate([_average_precision(chunk @ positive, chunk @ every) for chunk in chunks])


def _average_precision(positive: Floats, every: Floats) -> Floats:
    # Above the first drawn row there is nothing, and no positive row to average over.
    precision = np.divide(positive, every, out=np.zeros_like(positive), where=every != 0)
    gained = np.diff(positive, axis=1, prepend=0)
    return (gained * precision).sum(axis=1) / gained.sum(axis=1)


def ap_over_base_rate(scored: Scored, times: Floats) -> Floats:
    """Average precision as a multiple of what chance gives on these rows."""
    return average_precision(scored, times) / mean(scored, scored.label, times)


def brier_loss(scored: Scored, times: Floats) -> Floats:
    """Mean squared distance of score and truth."""
    return mean(scored, (scored.score - scored.label) ** 2, times)


def brier_skill(scored: Scored, times: Floats) -> Floats:
    """Share of the Brier loss of always answering the training rate that the model saves."""
    return 1 - brier_loss(scored, times) / mean(scored, (scored.training_rate - scored.label) ** 2, times)


def log_loss(scored: Scored, times: Floats) -> Floats:
    """Mean negative log-likelihood."""
    tiny = np.finfo(np.float64).eps
    score = np.clip(scored.score, tiny, 1 - tiny)
    return mean(scored, -np.log(np.where(scored.label, score, 1 - score)), times)


def calibration_error(scored: Scored, times: Floats) -> Floats:
    """Mean distance of mean score and positive rate, over equally filled bins of the score."""
    number = calibration_bins(scored.score)
    gap = scored.score - scored.label
    gaps = [mean(scored, np.where(number == n, gap, 0.0), times) for n in range(CALIBRATION_BINS)]
    return np.abs(gaps).sum(axis=0)


def cost(scored: Scored, times: Floats) -> Floats:
    """Mean cost of the decisions at the model's threshold."""
    alarm = scored.score >= scored.threshold
    case = np.where(scored.label, ~alarm * scored.costs.miss, alarm * scored.costs.false_alarm)
    return mean(scored, case, times)


def cost_skill(scored: Scored, times: Floats) -> Floats:
    """Share of the cost of the better blind decision, always or never an alarm, that the model saves."""
    always = mean(scored, ~scored.label * scored.costs.false_alarm, times)
    never = mean(scored, scored.label * scored.costs.miss, times)
    return 1 - cost(scored, times) / np.minimum(always, never)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.__name__: metric
        for metric in (
            average_precision,
            roc_auc,
            brier_loss,
            log_loss,
            calibration_error,
            cost,
            cost_skill,
            brier_skill,
            ap_over_base_rate,
        )
    }
)


def is_higher_better(metric: str) -> bool:
    """Direction of a metric, from the end of its name: ``_loss``, ``_error`` and ``cost`` are to be low."""
    return not metric.endswith(_LOWER_IS_BETTER)


def mean(scored: Scored, values: NDArray[Any], times: Floats) -> Floats:
    """Mean of a value per row, for every draw."""
    n_days = times.shape[1]
    total = np.bincount(scored.day, weights=values, minlength=n_days)
    return times @ total / (times @ np.bincount(scored.day, minlength=n_days))


def calibration_bins(score: Floats) -> Integers:
    """Bin of every row from 0: equally filled, rows of one score together."""
    edges = np.quantile(score, np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1])
    return np.searchsorted(edges, score, side="right").astype(np.int64)


def number_days(days: NDArray[Any]) -> Integers:
    """Numbers of the days from 0 in their order, shape (n_rows,)."""
    return np.unique(days, return_inverse=True)[1].astype(np.int64)


def draw_days(n_days: int, draws: int, seed: int) -> Floats:
    """Resample whole days with replacement.

    The draws of the same arguments are the same: compare models on the same draws, and slices too.

    Returns:
        Times each day was drawn, shape (1 + draws, n_days); the first row is one everywhere and gives the
        value on the rows as they are.
    """
    generator = np.random.default_rng(seed)
    times = generator.multinomial(n_days, np.full(n_days, 1 / n_days), size=draws).astype(np.float64)
    if n_days == 1:
        # Drawing the one day again and again would look like certainty.
        times[:] = np.nan
    return np.vstack([np.ones(n_days), times])


def resample(metric: str, scored: Scored, times: Floats) -> Floats:
    """A metric for every draw, shape (n_draws,).

    NaN where it is not defined: no rows, one class only, or a score that is not a number.

    Args:
        metric: Name in ``METRICS``.
        scored: Scores and truth.
        times: See :func:`draw_days`.
    """
    if not len(scored.label) or not np.isfinite(scored.score).all():
        return np.full(len(times), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = METRICS[metric](scored, times)
    return np.where(np.isfinite(values), values, np.nan)


class Estimate(NamedTuple):
    """A metric with its 95 % day-block interval; NaN where it is not defined.

    Attributes:
        value: Value on the rows as they are.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float


def estimate(drawn: Floats) -> Estimate:
    """Value and percentile interval of what :func:`resample` gave, or of the difference of two such.

    One undefined draw leaves the interval undefined: the others would be a choice.
    """
    low, high = np.quantile(drawn[1:], [0.025, 0.975]) if len(drawn) > 1 else (np.nan, np.nan)
    return Estimate(float(drawn[0]), float(low), float(high))


def measured(scored: Scored, times: Floats) -> dict[str, Estimate]:
    """Every metric of ``METRICS`` with its interval."""
    return {metric: estimate(resample(metric, scored, times)) for metric in METRICS}


def cheapest_threshold(label: Flags, score: Floats, costs: Costs) -> float:
    """The score from which on to predict positive so that the decisions cost least on these rows.

    Returns:
        0..1; halfway to the next lower score, so that it does not hang on one row. Of equally cheap ones the
        highest.
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    hits, alarms = np.cumsum(label[order])[ends], ends + 1
    spent = costs.false_alarm * (alarms - hits) + costs.miss * (label.sum() - hits)
    limits = (ranked[ends] + np.append(ranked[ends][1:], 0)) / 2
    if ranked[0] < 1:
        # No alarm at all: just above the highest score.
        limits = np.append(np.nextafter(ranked[0], 1), limits)
        spent = np.append(costs.miss * label.sum(), spent)
    return float(limits[np.argmin(spent)])
