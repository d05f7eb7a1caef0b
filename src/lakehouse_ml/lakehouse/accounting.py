"""What became of landed lines, counted in the tables that were written."""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.overlap import Touched, all_overlapping

NAMES = ("warnings", "broken_rules")
_POSITION = ("_file", "_line_no")


class SourceLines(NamedTuple):
    """What came of one source, and what is stored of it.

    Attributes:
        contract: Its contract.
        checked: Checked lines.
        silver: Its silver table as written.
    """

    contract: Contract
    checked: DataFrame
    silver: DataFrame


def lines_by_source(frames: Sequence[DataFrame], sources: Sequence[Contract]) -> list[SourceLines]:
    """The frames of a node, put together by source.

    Args:
        frames: Checked lines of every source, then silver of every source as written.
        sources: The sources' silver contracts, in the same order.
    """
    checked, silver = frames[: len(sources)], frames[len(sources) :]
    return [SourceLines(*part) for part in zip(sources, checked, silver, strict=True)]


def outcomes(parts: Sequence[SourceLines]) -> DataFrame:
    """Whether silver holds each line's record, from this line or from another one.

    Returns:
        One row per line: file, is_accepted, is_duplicate, is_rejected, warnings, broken_rules.
    """
    lines = _of_all((part, part.checked.select(*_POSITION, "_revision", *NAMES)) for part in parts)
    stored = _of_all(zip(parts, _stored(parts), strict=True))
    is_valid, is_own = F.size("broken_rules") == 0, F.col("_stored") == F.struct(*_POSITION)
    return lines.join(stored, ["source", "_revision"], "left").select(
        F.col("_file").alias("file"),
        (is_valid & is_own).alias("is_accepted"),
        (is_valid & ~is_own).alias("is_duplicate"),
        (~is_valid).alias("is_rejected"),
        *NAMES,
    )


def _stored(parts: Sequence[SourceLines]) -> Iterator[DataFrame]:
    """The stored records that each source's lines can be: _revision, _stored (file and line that it came from)."""
    valid = F.size("broken_rules") == 0
    touched = [Touched(part.silver, part.checked.where(valid), part.contract.day) for part in parts]
    for part, near in zip(parts, all_overlapping(touched), strict=True):
        records = part.silver.limit(0) if near is None else near
        yield records.select("_revision", F.struct(*_POSITION).alias("_stored"))


def _of_all(frames: Iterable[tuple[SourceLines, DataFrame]]) -> DataFrame:
    named = (frame.withColumn("source", F.lit(part.contract.name)) for part, frame in frames)
    return reduce(DataFrame.unionByName, named)


def counts_by_file(line_outcomes: DataFrame) -> DataFrame:
    """Lines by outcome and file.

    Args:
        line_outcomes: As :func:`outcomes` gives them, of all sources.

    Returns:
        One row per file: file, lines, accepted, duplicates, rejected (bigint), warnings and broken_rules
        (lines by name).
    """
    counted = line_outcomes.groupBy("file").agg(
        F.count("*").alias("lines"),
        F.count_if("is_accepted").alias("accepted"),
        F.count_if("is_duplicate").alias("duplicates"),
        F.count_if("is_rejected").alias("rejected"),
        *(F.flatten(F.collect_list(name)).alias(name) for name in NAMES),
    )
    return counted.withColumns({name: _tally(F.col(name)) for name in NAMES})


def status(lines: Column, broken_rules: Column) -> Column:
    """State of a file whose name tells its period: ``empty``, ``unreadable``, ``failed`` or ``ok``."""
    return (
        F.when(lines == 0, "empty")
        .when(F.map_contains_key(broken_rules, "readable_file"), "unreadable")
        .when(F.map_contains_key(broken_rules, "failed_file"), "failed")
        .otherwise("ok")
    )


def _tally(names: Column) -> Column:
    """How often each name stands in the array."""
    distinct = F.array_distinct(names)
    times = F.transform(
        distinct, lambda name: F.size(F.filter(names, lambda other: other == name)).cast("bigint")
    )
    return F.map_from_arrays(distinct, times)
