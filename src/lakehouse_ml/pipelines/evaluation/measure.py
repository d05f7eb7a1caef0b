"""Every metric of every model on the holdout and its slices, on the same draws of days."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lakehouse_ml.lakehouse.key_digest import digest_of_keys
from lakehouse_ml.metrics import METRICS, Floats, Scored, draw_days, number_days, resample
from lakehouse_ml.pipelines.evaluation.models import Measured
from lakehouse_ml.pipelines.evaluation.params import MeasureParams
from lakehouse_ml.use_case import UseCase

EVERYTHING = "all"


class Group(NamedTuple):
    """Rows of the holdout.

    Attributes:
        slice: ``all``, or the name of the slice.
        value: ``all``, or the group within the slice.
        rows: Positions of its rows.
        keys_digest: Of their keys, see ``digest_of_keys``; None: only the whole holdout has one.
    """

    slice: str
    value: str
    rows: NDArray[np.int64]
    keys_digest: str | None = None


class Resampled(NamedTuple):
    """A metric of a model on a group of rows.

    Attributes:
        role: The model.
        slice: See :class:`Group`.
        slice_value: See :class:`Group`.
        metric: Name in ``METRICS``.
        rows: Rows of the group.
        positives: Positive rows of the group.
        days: Days of the group.
        keys_digest: See :class:`Group`.
        values: The value on the rows as they are, then one per draw; NaN where undefined.
    """

    role: str
    slice: str
    slice_value: str
    metric: str
    rows: int
    positives: int
    days: int
    keys_digest: str | None
    values: Floats


def measure(
    holdout_rows: pd.DataFrame,
    scores: pd.DataFrame,
    models: dict[str, Measured],
    params: MeasureParams,
    seed: int,
    *,
    use_case: UseCase,
) -> list[Resampled]:
    """Every metric of every model, on the whole holdout and on each group of each slice.

    All models share a group's draws, so that differences are paired. A group is drawn from its own days: from those
    of the whole holdout some draws would hold none of a group of few days, and its interval would be undefined.

    Args:
        holdout_rows: See ``holdout``.
        scores: See ``score``.
        models: See ``compared_models``.
        params: ``params:evaluation.measure``.
        seed: ``params:random_seed``.
        use_case: Its slices and costs.
    """
    day = number_days(holdout_rows["predict_date"].to_numpy())
    label = holdout_rows["label"].to_numpy(dtype=bool)
    found = []
    for role, model in models.items():
        scored = Scored(
            label, scores[role].to_numpy(), day, model.threshold, model.training_rate, use_case.costs
        )
        for group in groups(holdout_rows, use_case, params.slice_rows_min):
            found += _resampled(
                role, scored.take(group.rows), group, partial(draw_days, draws=params.draws, seed=seed)
            )
    return found


def _resampled(role: str, rows: Scored, group: Group, draw: Callable[[int], Floats]) -> list[Resampled]:
    scored = replace(rows, day=number_days(rows.day))
    n_days = len(np.unique(rows.day))
    times, counts = draw(n_days), (len(rows.label), int(rows.label.sum()), n_days, group.keys_digest)
    return [
        Resampled(role, group.slice, group.value, metric, *counts, resample(metric, scored, times))
        for metric in METRICS
    ]


def groups(holdout_rows: pd.DataFrame, use_case: UseCase, rows_min: int) -> Iterator[Group]:
    """The whole holdout, then the groups of each slice that have enough rows; rows without a group are in none."""
    whole = digest_of_keys(holdout_rows["key"])
    yield Group(EVERYTHING, EVERYTHING, np.arange(len(holdout_rows)), whole)
    for name, slice_ in use_case.slices.items():
        values = slice_(holdout_rows).reset_index(drop=True)
        for value, rows in values.groupby(values).indices.items():
            if len(rows) >= rows_min:
                yield Group(name, str(value), np.asarray(rows, dtype=np.int64))
