"""The part of a stored table that new rows can touch."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def overlapping(stored: DataFrame, frame: DataFrame, day: str | None) -> DataFrame | None:
    """The stored rows within the frame's range of ``day``; None: the frame is empty and touches nothing.

    The range enters as literals, so that files outside of it are not even opened.

    Args:
        stored: A stored table.
        frame: New rows.
        day: Date or timestamp column of both; None: the table has none, all rows can be touched.
    """
    place = F.lit("any") if day is None else F.col(day)
    first, last = frame.agg(F.min(place).cast("string"), F.max(place).cast("string")).collect()[0]
    if first is None:
        return None
    if day is None:
        return stored
    kind = dict(stored.dtypes)[day]
    return stored.where(F.col(day).between(F.lit(first).cast(kind), F.lit(last).cast(kind)))
