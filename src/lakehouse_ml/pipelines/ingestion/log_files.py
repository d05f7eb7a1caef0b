"""What became of every line of every new file, counted in the tables that were written."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.landing import LandedFile
from lakehouse_ml.lakehouse.overlap import overlapping

_LISTING = "file string, source string, period_start timestamp, period_end timestamp, size_bytes bigint"
_COUNTS = ("lines", "accepted", "duplicates", "quarantined")
_NAMES = ("warnings", "broken_rules")


def log_files(
    new_files: list[LandedFile], quarantined: DataFrame, *frames: DataFrame, sources: Sequence[Contract]
) -> DataFrame:
    """The ingestion log of the new files: lines = accepted + duplicates + quarantined.

    Args:
        new_files: Files that are not in the log yet.
        quarantined: ``quarantine_lines`` as written.
        *frames: Checked lines of every source, then silver of every source as written.
        sources: The sources' silver contracts, in the same order.

    Returns:
        One row per new file; see the contract of ``ops.ingestion_log``.
    """
    checked, silver = frames[: len(sources)], frames[len(sources) :]
    outcomes = (
        _outcomes(lines, stored, contract)
        for lines, stored, contract in zip(checked, silver, sources, strict=True)
    )
    counted = _counted(reduce(DataFrame.unionByName, outcomes))
    rejected = quarantined.groupBy(F.col("_file").alias("file")).agg(F.count("*").alias("quarantined"))
    listing = quarantined.sparkSession.createDataFrame([_row(file) for file in new_files], _LISTING)
    logged = listing.join(counted, "file", "left").join(rejected, "file", "left")
    return _complete(logged, listing.columns)


def _row(file: LandedFile) -> tuple[object, ...]:
    return (file.file, file.source, file.period_start, file.period_end, file.size_bytes)


def _outcomes(lines: DataFrame, silver: DataFrame, contract: Contract) -> DataFrame:
    """One row per line: whether silver holds its record, from this line or from another one."""
    assert contract.day is not None
    stored = overlapping(silver, lines.where(F.size("broken_rules") == 0), contract.day)
    stored = stored.select("_revision", F.struct("_file", "_line_no").alias("_stored"))
    is_own = F.col("_stored") == F.struct("_file", "_line_no")
    is_valid = F.size("broken_rules") == 0
    return lines.join(stored, "_revision", "left").select(
        F.col("_file").alias("file"),
        (is_valid & is_own).alias("is_accepted"),
        (is_valid & ~is_own).alias("is_duplicate"),
        *_NAMES,
    )


def _counted(outcomes: DataFrame) -> DataFrame:
    names = outcomes.groupBy("file").agg(
        F.count("*").alias("lines"),
        F.count_if("is_accepted").alias("accepted"),
        F.count_if("is_duplicate").alias("duplicates"),
        *(F.flatten(F.collect_list(name)).alias(name) for name in _NAMES),
    )
    return names.withColumns({name: _tally(F.col(name)) for name in _NAMES})


def _tally(names: Column) -> Column:
    """How often each name stands in the array."""
    distinct = F.array_distinct(names)
    times = F.transform(
        distinct, lambda name: F.size(F.filter(names, lambda other: other == name)).cast("bigint")
    )
    return F.map_from_arrays(distinct, times)


def _complete(logged: DataFrame, listed: Sequence[str]) -> DataFrame:
    none = F.create_map().cast("map<string,bigint>")
    status = (
        F.when(F.coalesce("lines", F.lit(0)) == 0, "empty")
        .when(F.map_contains_key(F.coalesce("broken_rules", none), "readable_file"), "unreadable")
        .when(F.map_contains_key(F.coalesce("broken_rules", none), "failed_file"), "failed")
        .otherwise("ok")
    )
    return logged.select(
        *listed,
        *(F.coalesce(name, F.lit(0)).cast("bigint").alias(name) for name in _COUNTS),
        status.alias("status"),
        *(F.coalesce(name, none).alias(name) for name in _NAMES),
        F.lit(1).alias("sequence"),
        F.current_timestamp().alias("logged_at"),
    )
