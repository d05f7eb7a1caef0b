"""Honest scores for real days: models like the champion, each fitted on the past and watched after its holdout."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from lakehouse_ml.lakehouse.column_counts import Edges, counts_by_day, day_counts
from lakehouse_ml.lakehouse.tables.monitoring import METRICS
from lakehouse_ml.metrics import Scored, draw_days, estimate, number_days, resample
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.counting import (
    BASELINE,
    Counted,
    DayCounts,
    ProfileParams,
    Span,
    frozen_edges,
)
from lakehouse_ml.pipelines.monitoring.profile import span_rows
from lakehouse_ml.pipelines.monitoring.rules import Interval
from lakehouse_ml.pipelines.monitoring.windows import Window
from lakehouse_ml.use_case import Costs

FIRST_DAYS, HOLDOUT_DAYS, WATCHED_DAYS = 60, 28, 28
NOT_FEATURES = ("key", "predict_date", "predict_at", "label", "label_known_at", "is_resolved")


@dataclass(frozen=True)
class Kind:
    """What the champion is, and how it is watched.

    Attributes:
        model: ``fit(features, label)`` and ``predict(features)``; cloned, never fitted itself.
        threshold: Predicted positive from this score on.
        costs: Cost matrix.
        profile: How windows are profiled.
    """

    model: Any
    threshold: float
    costs: Costs
    profile: ProfileParams


@dataclass(frozen=True)
class Life:
    """One model and the weeks on which it is watched.

    Attributes:
        watched: The model, for the monitor.
        model: Fitted on the days before its holdout.
        edges: Frozen with it.
        training: Rows of its training profile by feature.
        holdout: Interval by metric on its holdout.
        rows: Scored rows of the watched weeks, from a Monday, by ``predict_at``.
    """

    watched: Watched
    model: Any
    edges: Edges
    training: Mapping[str, Mapping[str, Any]]
    holdout: Mapping[str, Interval]
    rows: pd.DataFrame

    def score(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows with this model's scores."""
        with threadpool_limits(limits=2):
            return rows.assign(score=self.model.predict(rows[feature_names(rows)]))


def feature_names(rows: pd.DataFrame) -> list[str]:
    """What models see."""
    return [name for name in rows.columns if name not in (*NOT_FEATURES, "score")]


def cut_offs(days: "pd.Series[Any]") -> list[date]:
    """Last training days' ends: Mondays, a holdout's length apart, with enough days before and after."""
    first = days.min() + timedelta(days=FIRST_DAYS)
    monday = first + timedelta(days=-first.weekday() % 7)
    last = days.max() + timedelta(days=1 - HOLDOUT_DAYS - WATCHED_DAYS)
    return [monday + timedelta(days=n) for n in range(0, max(0, (last - monday).days + 1), HOLDOUT_DAYS)]


def lives(rows: pd.DataFrame, kind: Kind) -> Iterator[Life]:
    """The champion's kind of model, fitted anew every four weeks.

    Args:
        rows: ``gold.features`` with label, label_known_at (naive UTC) and is_resolved; predict_date are dates.
        kind: See :class:`Kind`.
    """
    for cut_off in cut_offs(rows["predict_date"]):
        yield live(rows, cut_off, kind)


def live(rows: pd.DataFrame, cut_off: date, kind: Kind) -> Life:
    """The model that a training on that day would have made, and the four weeks after its holdout."""
    day, midnight = rows["predict_date"], pd.Timestamp(cut_off)
    training = rows[day < cut_off]
    known = training[training["label"].notna() & (training["label_known_at"] <= midnight)]
    model = clone(kind.model)
    with threadpool_limits(limits=2):
        model.fit(known[feature_names(known)], known["label"].to_numpy(bool))
    watched = Watched(str(cut_off), str(cut_off), day.min(), cut_off)
    edges = training_edges(training, kind.profile)
    life = Life(watched, model, edges, training_rows(training, watched, edges, kind), {}, rows[:0])
    end = cut_off + timedelta(days=HOLDOUT_DAYS)
    holdout = life.score(rows[(day >= cut_off) & (day < end)])
    after = life.score(rows[(day >= end) & (day < end + timedelta(days=WATCHED_DAYS))])
    return Life(watched, model, edges, life.training, intervals(holdout, kind), after)


def training_edges(training: pd.DataFrame, params: ProfileParams) -> Edges:
    """As ``training_edges`` of the monitor, from every n-th row."""
    numbers = training[feature_names(training)].select_dtypes("number")
    return frozen_edges(numbers.iloc[:: max(1, len(numbers) // params.edge_rows)], params.bins)


def training_rows(
    training: pd.DataFrame, watched: Watched, edges: Edges, kind: Kind
) -> Mapping[str, Mapping[str, Any]]:
    """The training window's rows of ``ops.profile_metrics``, by feature."""
    span = Span(BASELINE, Window(watched.trained_from, watched.trained_until))
    counted = Counted((span,), counted_days(training, edges), edges)
    return {row["column_name"]: row for row in span_rows(span, counted, kind.profile.frequent_items)}


def counted_days(rows: pd.DataFrame, edges: Edges) -> DayCounts:
    """What ``count_days`` of the monitor counts, on rows that are here already."""
    texts = [name for name in feature_names(rows) if name not in edges]
    batch = pa.RecordBatch.from_pandas(rows[["predict_date", *edges, *texts]], preserve_index=False)
    return counts_by_day(day_counts(batch, "predict_date", edges, texts))


def scored(rows: pd.DataFrame, kind: Kind) -> Scored:
    """Labelled rows for ``metrics``."""
    known = rows[rows["label"].notna()]
    return Scored(
        label=known["label"].to_numpy(bool),
        score=known["score"].to_numpy(np.float64),
        day=number_days(known["predict_date"].to_numpy()),
        threshold=kind.threshold,
        training_rate=np.nan,
        costs=kind.costs,
    )


def intervals(holdout: pd.DataFrame, kind: Kind) -> dict[str, Interval]:
    """What evaluation would have on record."""
    found = scored(holdout, kind)
    times = draw_days(int(found.day.max()) + 1, 200, 1)
    ends = {metric: estimate(resample(metric, found, times)) for metric in METRICS}
    return {metric: Interval(end.low, end.high) for metric, end in ends.items()}
