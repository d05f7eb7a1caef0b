"""What became of landed lines, counted in the tables that were written."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.overlap import overlapping

NAMES = ("warnings", "broken_rules")


def outcomes(lines: DataFrame, silver: DataFrame, contract: Contract) -> DataFrame:
    """Whether silver holds each line's record, from this line or from another one.

    Args:
        lines: Checked lines of one source.
        silver: The source's silver table as written.
        contract: Its contract.

    Returns:
        One row per line: file, is_accepted, is_duplicate, is_rejected, warnings, broken_rules.
    """
    is_valid = F.size("broken_rules") == 0
    stored = overlapping(silver, lines.where(is_valid), contract.day)
    stored = stored.select("_revision", F.struct("_file", "_line_no").alias("_stored"))
    is_own = F.col("_stored") == F.struct("_file", "_line_no")
    return lines.join(stored, "_revision", "left").select(
        F.col("_file").alias("file"),
        (is_valid & is_own).alias("is_accepted"),
        (is_valid & ~is_own).alias("is_duplicate"),
        (~is_valid).alias("is_rejected"),
        *NAMES,
    )


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
    """State of a file: ``empty``, ``unreadable``, ``failed`` or ``ok``."""
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
