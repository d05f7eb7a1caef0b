"""Which entities are due for a prediction, and of which model."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.registry import CHAMPION, Champion

CHALLENGER = "challenger"
IN_SAMPLE = "in_sample"


class DueParams(BaseModel):
    """Who is scored.

    Attributes:
        lookback_days: Days before the run's now in which an entity without a prediction is still scored.
        first_day: First day (UTC) of a backfill; None: the lookback tells.
        last_day: Last day (UTC) of a backfill, included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lookback_days: int = Field(gt=0)
    first_day: date | None = None
    last_day: date | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if (self.first_day is None) != (self.last_day is None):
            raise ValueError("a backfill needs both first_day and last_day")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError(f"first_day {self.first_day} lies after last_day {self.last_day}")
        return self


def find_due(
    rows: DataFrame,
    predictions: DataFrame,
    champion: Champion,
    challengers: Sequence[Champion],
    run: Run,
    params: DueParams,
) -> DataFrame:
    """The rows that wait for a prediction, with the model that is to make it.

    Args:
        rows: ``gold_<entities>`` or ``gold_features``, one row per key. Reads key, predict_at and predict_date (UTC).
        predictions: ``before_ml_predictions``; what is predicted already is not due.
        champion: ``ml_champion``; one prediction of a champion is enough, whichever version it was.
        challengers: ``ml_challengers``, which score in shadow.
        run: The run; entities whose ``predict_at`` is after its now are not due yet.
        params: ``params:inference.due``.

    Returns:
        One row per key and model: the columns of ``rows``, model_version, and role: ``champion`` or ``challenger``,
        in a backfill ``in_sample`` on days before the end of the model's training.
    """
    models = [(CHAMPION, champion), *((CHALLENGER, challenger) for challenger in challengers)]
    parts = [_due_of(role, model, rows, predictions, run, params) for role, model in models]
    return reduce(DataFrame.unionByName, parts)


def _due_of(
    role: str, model: Champion, rows: DataFrame, predictions: DataFrame, run: Run, params: DueParams
) -> DataFrame:
    first, last = due_days(run.as_of, model.trained_until, params)
    # Literals, so that the scan opens the files of these days only.
    within = F.col("predict_date").between(F.lit(first), F.lit(last))
    is_fresh = F.col("predict_date") >= F.lit(model.trained_until)
    due = (
        rows.where(within & (F.col("predict_at") <= F.lit(run.as_of)))
        .withColumn("role", F.when(is_fresh, F.lit(role)).otherwise(F.lit(IN_SAMPLE)))
        .withColumn("model_version", F.lit(model.version))
    )
    is_answered = (F.col("model_version") == model.version) | (F.col("role") == CHAMPION)
    scored = predictions.where(within & is_answered).select("key", "role")
    return due.join(scored, ["key", "role"], "left_anti").select(*due.columns)


def due_days(as_of: datetime, trained_until: date, params: DueParams) -> tuple[date, date]:
    """First and last day (UTC, both included) of the predictions that a run may make; none when first > last.

    Args:
        as_of: The run's now, UTC.
        trained_until: Day after the model's last training day; earlier days are for backfills only.
        params: See there.
    """
    if params.first_day is not None and params.last_day is not None:
        return params.first_day, min(params.last_day, as_of.date())
    return max(trained_until, (as_of - timedelta(days=params.lookback_days)).date()), as_of.date()
