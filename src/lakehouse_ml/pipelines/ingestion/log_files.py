"""What became of every line of every new file."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.accounting import (
    NAMES,
    SourceLines,
    counts_by_file,
    lines_by_source,
    outcomes,
    status,
)
from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.landing import LandedFile

_LISTING = (
    "file string, source string, period_start timestamp, period_end timestamp, size_bytes bigint, is_named boolean, "
    "is_new boolean"
)
_COUNTS = ("lines", "accepted", "duplicates", "quarantined")


def log_files(
    new_files: list[LandedFile],
    listed_files: frozenset[str],
    landing_files: list[LandedFile],
    quarantined: DataFrame,
    *frames: DataFrame,
    sources: Sequence[Contract],
) -> Iterator[DataFrame]:
    """The ingestion log of the new files: lines = accepted + duplicates + quarantined. Nothing when no file is new.

    Accepted and duplicates are counted in silver, the quarantined in quarantine, the lines in bronze: a line that
    a write lost shows as a difference. A file that lands while the run works may have been streamed already: it is
    logged if its lines are there, and left to the next run if not. A misnamed file has no lines: it is on record by
    its name.

    Args:
        new_files: Files that are not in the log yet.
        listed_files: Names of all files when the run began.
        landing_files: The listing after the files were streamed.
        quarantined: ``quarantine_lines`` as written.
        *frames: Checked lines of every source, then silver of every source as written.
        sources: The sources' silver contracts, in the same order.

    Returns:
        One row per file taken; see the contract of ``ops.ingestion_log``.
    """
    rows = [_row(file, True) for file in new_files]
    rows += [_row(file, False) for file in landing_files if file.file not in listed_files]
    if rows:
        listing = quarantined.sparkSession.createDataFrame(rows, _LISTING)
        landed = {row[1] for row in rows}
        parts = [part for part in lines_by_source(frames, sources) if part.contract.name in landed]
        yield _balanced(listing, parts, rejected_lines(quarantined, [row[0] for row in rows]))


def rejected_lines(quarantined: DataFrame, files: Sequence[str]) -> DataFrame:
    """Lines of the files that are in quarantine: file, quarantined (bigint).

    The names are literals, so that the scan skips what was rejected years before.
    """
    theirs = quarantined.where(F.col("_file").isin(*files))
    return theirs.groupBy(F.col("_file").alias("file")).agg(F.count("*").alias("quarantined"))


def _row(file: LandedFile, is_new: bool) -> tuple[str, str, datetime, datetime, int, bool, bool]:
    return (
        file.file,
        file.source,
        file.period_start,
        file.period_end,
        file.size_bytes,
        file.is_named,
        is_new,
    )


def _balanced(listing: DataFrame, parts: Sequence[SourceLines], rejected: DataFrame) -> DataFrame:
    counted = counts_by_file(outcomes(parts)).drop("rejected")
    logged = listing.join(counted, "file", "left").join(rejected, "file", "left")
    logged = logged.where(F.col("is_new") | F.col("lines").isNotNull()).drop("is_new")
    none = F.create_map().cast("map<string,bigint>")
    complete = logged.withColumns(
        {name: F.coalesce(name, F.lit(0)).cast("bigint") for name in _COUNTS}
        | {name: F.coalesce(name, none) for name in NAMES}
    )
    return complete.select(
        *listing.drop("is_named", "is_new").columns,
        *_COUNTS,
        F.when(~F.col("is_named"), "misnamed")
        .otherwise(status(F.col("lines"), F.col("broken_rules")))
        .alias("status"),
        *NAMES,
        F.lit(1).alias("sequence"),
        F.current_timestamp().alias("logged_at"),
    )
