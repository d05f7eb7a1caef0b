"""Whether everything that is due was scored: a batch that is empty has no odd score, and misses in no figure."""

import pandas as pd
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.findings import Finding, Owners, owner_of
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.windows import WindowParams, newest_days

SUBJECT = "predictions"


class ScoringParams(Params):
    """What inference must keep.

    Attributes:
        max_unscored_share: Of a day's entities that are due, those that no champion scored. A batch scores all that are
            due, so that hardly any are left.
    """

    max_unscored_share: float = Field(ge=0, lt=1)


def due_days(
    entities: DataFrame, predictions: DataFrame, champion: Watched, run: Run, windows: WindowParams
) -> pd.DataFrame:
    """The newest days with what was due on them and what was not scored.

    Args:
        entities: ``gold_<entities>``, one row per key.
        predictions: ``ml_predictions``; one of the role ``champion`` is enough, whichever version it was.
        champion: Days that it was trained on are not due.
        run: Its now tells what is due, and which days are the newest.
        windows: How many days are.

    Returns:
        One row per day with anything due, oldest first: day (date), due, unscored.
    """
    first = max(newest_days(run.as_of, windows)[0], champion.trained_until)
    within = F.col("predict_date").between(F.lit(first), F.lit(run.as_of.date()))
    due = entities.where(within & (F.col("predict_at") <= F.lit(run.as_of))).select("key", "predict_date")
    scored = predictions.where(within & (F.col("role") == "champion")).select("key").distinct()
    marked = due.join(scored.withColumn("is_scored", F.lit(True)), "key", "left")
    counts = (F.count("*").alias("due"), F.count_if(F.col("is_scored").isNull()).alias("unscored"))
    return marked.groupBy(F.col("predict_date").alias("day")).agg(*counts).orderBy("day").toPandas()


def unscored_alerts(days: pd.DataFrame, params: ScoringParams, *, owners: Owners) -> list[Finding]:
    """One critical finding while one of the newest days was not scored, or a part of it.

    Args:
        days: Output of :func:`due_days`.
        params: Limits.
        owners: Who answers.
    """
    left = days[days["unscored"] > params.max_unscored_share * days["due"]]
    if left.empty:
        return []
    unscored, due = int(left["unscored"].sum()), int(left["due"].sum())
    reason = (
        f"{unscored} of {due} that were due on {left['day'].min()} to {left['day'].max()} have no prediction of a "
        f"champion (at most {params.max_unscored_share:.0%} of a day): inference did not run, or left them out; "
        f"`kedro run --pipelines daily` scores what is due"
    )
    # The days are left out: as long as any of the newest is not scored, it is the same finding.
    return [
        Finding(
            rule="not_scored",
            severity="critical",
            subject=SUBJECT,
            reason=reason,
            owner=owner_of(owners, "platform"),
            evidence="the newest days",
            about="platform",
        )
    ]
