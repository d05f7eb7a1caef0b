"""The part of a stored table that new rows can touch."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def overlapping(stored: DataFrame, frame: DataFrame, day: str | None) -> DataFrame:
    """The stored rows within the frame's range of ``day``.

    The range enters as literals, so that files outside of it are not even opened. None where the frame is empty.

    Args:
        stored: A stored table.
        frame: New rows.
        day: Date or timestamp column of both; None: the table has none, all rows can be touched.
    """
    if day is None:
        return stored
    first, last = frame.agg(F.min(day).cast("string"), F.max(day).cast("string")).collect()[0]
    kind = dict(stored.dtypes)[day]
    return stored.where(F.col(day).between(F.lit(first).cast(kind), F.lit(last).cast(kind)))
