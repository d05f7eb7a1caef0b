"""Which entities are due for a prediction."""

from datetime import date, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.registry import Champion

ROLE = "champion"


class DueParams(BaseModel):
    """Who is scored.

    Attributes:
        lookback_days: Days before the run's now in which an entity without a prediction is still scored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lookback_days: int = Field(gt=0)


def find_due(
    entities: DataFrame, predictions: DataFrame, champion: Champion, run: Run, params: DueParams
) -> DataFrame:
    """The entities that wait for the champion's prediction.

    Args:
        entities: ``gold_<entities>``, one row per key. Reads key, predict_at and predict_date (UTC).
        predictions: ``before_ml_predictions``; an entity with a prediction of this role is not due.
        champion: ``ml_champion``; days that it was trained on are not scored.
        run: The run; entities whose ``predict_at`` is after its now are not due yet.
        params: ``params:inference.due``.

    Returns:
        One row per key: key, predict_at, predict_date.
    """
    first, last = due_days(run.as_of, champion.trained_until, params.lookback_days)
    # Literals, so that the scan opens the files of these days only.
    within = F.col("predict_date").between(F.lit(first), F.lit(last))
    due = entities.where(within & (F.col("predict_at") <= F.lit(run.as_of)))
    scored = predictions.where(within & (F.col("role") == ROLE)).select("key")
    return due.select("key", "predict_at", "predict_date").join(scored, "key", "left_anti")


def due_days(as_of: datetime, trained_until: date, lookback_days: int) -> tuple[date, date]:
    """First and last day (UTC, both included) of the predictions that a run may make; none when first > last.

    Args:
        as_of: The run's now, UTC.
        trained_until: Day after the champion's last training day.
        lookback_days: See :class:`DueParams`.
    """
    return max(trained_until, (as_of - timedelta(days=lookback_days)).date()), as_of.date()
