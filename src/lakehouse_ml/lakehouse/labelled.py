"""Feature rows beside the truth, as it was known at a cut-off."""

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def latest_labels(labels: DataFrame, known_until: datetime) -> DataFrame:
    """The label revision of every key that counted at a cut-off.

    Args:
        labels: ``gold_labels``, one row per revision. Reads key, label_known_at and _revision.
        known_until: Cut-off, UTC, inclusive. Later revisions are not seen.

    Returns:
        One row per key that had a revision by then: all columns of ``labels``. Revisions of one moment rank
        by ``_revision``, so the order of arrival does not matter.
    """
    known = labels.where(F.col("label_known_at") <= F.lit(known_until))
    others = [name for name in labels.columns if name != "key"]
    newest = F.max_by(F.struct(*others), F.struct("label_known_at", "_revision")).alias("newest")
    return known.groupBy("key").agg(newest).select("key", *(F.col(f"newest.{name}") for name in others))


def labelled_rows(features: DataFrame, labels: DataFrame, label: str, known_until: datetime) -> DataFrame:
    """Feature rows whose label was known at a cut-off, with it.

    Args:
        features: ``gold_features``, one row per key.
        labels: ``gold_labels``, one row per revision.
        label: Name of the label column.
        known_until: Cut-off, UTC, inclusive.

    Returns:
        One row per key with a label: the columns of ``features``, the label (boolean, never null) and
        ``label_known_at`` (UTC) of the revision it is taken from. Keys that will never get one are dropped.
    """
    known = latest_labels(labels, known_until).where(F.col(label).isNotNull())
    # Labels are narrow and features wide: sending the labels round beats shuffling both.
    return features.join(F.broadcast(known.select("key", label, "label_known_at")), "key")
