"""The rows on which all models are measured."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.labelled import labelled_rows
from lakehouse_ml.lakehouse.on_driver import collected


def holdout(
    candidates: dict[str, Any], features: DataFrame, labels: DataFrame, entities: DataFrame, *, label: str
) -> pd.DataFrame:
    """Labelled rows of the days that training left alone.

    Args:
        candidates: ``ml_candidates``: which days, and what was known by then.
        features: ``gold_features`` as training read it, one row per key.
        labels: ``gold_labels`` as training read it, one row per revision.
        entities: The spine as training read it, one row per key.
        label: Name of the label column.

    Returns:
        One row per key, by ``predict_at`` and key, times as naive UTC: the columns of features and spine, and
        ``label``.

    Raises:
        ValueError: No labelled row, or a key stands twice.
    """
    now = datetime.fromisoformat(candidates["as_of"])
    start, end = (date.fromisoformat(candidates[name]) for name in ("holdout_start", "holdout_end"))
    within = (F.col("predict_date") >= F.lit(start)) & (F.col("predict_date") < F.lit(end))
    # Of what was asked later only the labels of the punctual ones can be known.
    asked = within & (F.col("predict_at") <= F.lit(now - timedelta(hours=candidates["label_wait_hours"])))
    described = features.where(asked).join(
        entities.where(asked).select("key", *_only_in(entities, features)), "key"
    )
    # No answer is known before its question, so older labels need not be read.
    answers = labels.where(F.col("label_known_at") >= F.lit(datetime.combine(start, time(), UTC)))
    rows = collected(labelled_rows(described, answers, label, now).withColumnRenamed(label, "label"))
    if rows.empty:
        raise ValueError(
            f"No labelled row in the holdout from {start} to {end}: land its days (`kedro land --until ...`), or "
            f"choose other ones with training.holdout_days"
        )
    return each_once(rows).sort_values(["predict_at", "key"], ignore_index=True)


def each_once(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as they are: counts alone would not tell a row that is there twice from one that is missing.

    Raises:
        ValueError: A key stands twice.
    """
    twice = rows.loc[rows["key"].duplicated(), "key"]
    if not twice.empty:
        raise ValueError(
            f"{len(twice)} rows of the holdout stand there again, e.g. {twice.iloc[0]}: gold holds a key twice; "
            f"build it again with `kedro refresh --layer gold`"
        )
    return rows


def _only_in(frame: DataFrame, other: DataFrame) -> list[str]:
    return [name for name in frame.columns if name not in other.columns]
