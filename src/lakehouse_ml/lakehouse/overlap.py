"""The part of a stored table that new rows can touch."""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


class Touched(NamedTuple):
    """A stored table, and rows that are new to it.

    Attributes:
        stored: The table.
        frame: The rows.
        day: Date or timestamp column of both; None: the table has none, all rows can be touched.
    """

    stored: DataFrame
    frame: DataFrame
    day: str | None


def overlapping(stored: DataFrame, frame: DataFrame, day: str | None) -> DataFrame | None:
    """The stored rows within the frame's range of ``day``; None: the frame is empty and touches nothing.

    The range enters as literals, so that files outside of it are not even opened.

    Args:
        stored: A stored table.
        frame: New rows.
        day: See :class:`Touched`.
    """
    return all_overlapping([Touched(stored, frame, day)])[0]


def all_overlapping(tables: Sequence[Touched]) -> list[DataFrame | None]:
    """The same of several tables, whose ranges are found in one query."""
    ranges = reduce(DataFrame.unionAll, (_range(table, at) for at, table in enumerate(tables)))
    found = {row["at"]: (row["first"], row["last"]) for row in ranges.collect()}
    return [_within(table, *found[at]) for at, table in enumerate(tables)]


def _range(table: Touched, at: int) -> DataFrame:
    place = F.lit("any") if table.day is None else F.col(table.day)
    ends = (F.min(place).cast("string").alias("first"), F.max(place).cast("string").alias("last"))
    return table.frame.agg(F.lit(at).alias("at"), *ends)


def _within(table: Touched, first: str | None, last: str | None) -> DataFrame | None:
    if first is None:
        return None
    if table.day is None:
        return table.stored
    kind = dict(table.stored.dtypes)[table.day]
    return table.stored.where(F.col(table.day).between(F.lit(first).cast(kind), F.lit(last).cast(kind)))
