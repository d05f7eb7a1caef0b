"""Build the gold rows of the affected days."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.use_case import Family, Labels, Spine


def build_spine(
    spine: Spine, affected_days: list[date], run: Run, *records: DataFrame
) -> Iterator[DataFrame]:
    """Every entity due by ``as_of`` on an affected day. Nothing when no day is affected.

    Args:
        spine: Which entities are asked about.
        affected_days: Days (UTC) to build.
        run: Its ``as_of`` is the last instant at which an entity may be due.
        *records: Silver tables of the spine, in its order.
    """
    if affected_days:
        known = [_published(frame, affected_days, spine.lookback, run) for frame in records]
        due = F.col("predict_at") <= F.lit(run.as_of)
        yield spine.build(*known).where(due & F.col("predict_date").isin(affected_days))


def build_family(
    family: Family, affected_days: list[date], run: Run, entities: DataFrame, *tables: DataFrame
) -> DataFrame:
    """The family's features of every entity of the affected days, one row each.

    What is read does not grow with the history: only records published within the lookback of an affected day.

    Args:
        family: What to build.
        affected_days: Days (UTC) to build.
        run: Nothing published after its ``as_of`` is read.
        entities: The spine's table.
        *tables: Silver tables of the family's inputs, then of its references.
    """
    inputs, references = tables[: len(family.inputs)], tables[len(family.inputs) :]
    known = [_published(frame, affected_days, family.lookback, run) for frame in inputs]
    return family.build(
        entities.where(F.col("predict_date").isin(affected_days)),
        *known,
        *(frame.where(F.col("published_at") <= F.lit(run.as_of)) for frame in references),
    )


def join_families(
    affected_days: list[date], entities: DataFrame, *families: DataFrame
) -> Iterator[DataFrame]:
    """All families side by side, one row per entity of the affected days. Nothing when no day is affected.

    Args:
        affected_days: Days (UTC) to build.
        entities: The spine's table.
        *families: One row per key each.
    """
    if affected_days:
        asked = entities.where(F.col("predict_date").isin(affected_days))
        features = asked.select("key", "predict_date", "predict_at")
        for family in families:
            features = features.join(family, "key", "left")
        yield features


def insert_labels(labels: Labels, affected_days: list[date], records: DataFrame) -> Iterator[DataFrame]:
    """Label revisions of the new records. Nothing when no day is affected.

    Args:
        labels: How a record tells the truth.
        affected_days: Days that are built; none: the records are left for the next run.
        records: New revisions of the labels' source.
    """
    if affected_days:
        yield labels.build(records)


def _published(records: DataFrame, affected_days: list[date], lookback: timedelta, run: Run) -> DataFrame:
    if not affected_days:
        return records.limit(0)
    first = datetime.combine(affected_days[0], time(), UTC) - lookback
    return records.where(F.col("published_at").between(F.lit(first), F.lit(run.as_of)))
