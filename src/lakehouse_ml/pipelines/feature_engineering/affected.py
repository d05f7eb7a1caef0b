"""Find the days whose gold rows the new records can change."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.affected_days import days_between, days_reached
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.feature_engineering.progress import CONSUMER
from lakehouse_ml.use_case import Family, Spine, UseCase

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sources_read(use_case: UseCase) -> tuple[str, ...]:
    """Silver tables that the stage reads, in the order of the use case's sources."""
    read = {*use_case.spine.inputs, use_case.labels.source}
    for family in use_case.families:
        read |= {*family.inputs, *family.references}
    return tuple(source.name for source in use_case.sources if source.name in read)


def reach_of_sources(use_case: UseCase) -> dict[str, timedelta | None]:
    """How long after its publication a record can change features, by source; None: for ever."""
    reach: dict[str, timedelta | None] = {}
    readers: tuple[Spine | Family, ...] = (use_case.spine, *use_case.families)
    for reader in readers:
        reach |= {name: max(reader.lookback, reach.get(name) or timedelta()) for name in reader.inputs}
    return reach | dict.fromkeys((name for family in use_case.families for name in family.references), None)


def find_affected_days(
    use_case: UseCase, run: Run, progress: DataFrame, *new_records: DataFrame
) -> list[date]:
    """Days (UTC, ascending) to build again: those that new records reach, and those since the last run's now.

    Args:
        use_case: Tells how far a record reaches.
        run: Its ``as_of`` is the last instant of interest.
        progress: ``ops.progress`` before this run.
        *new_records: New revisions of each source in the order of :func:`sources_read`.
    """
    found = _published_days_and_last_now(sources_read(use_case), new_records, progress)
    today, reach = run.as_of.date(), reach_of_sources(use_case)
    days = _days_since(found.pop("", set()), run.as_of)
    for source, published in found.items():
        if source in reach:
            days |= days_reached((_day(number) for number in published), reach[source], today)
    return sorted(days)


def _published_days_and_last_now(
    sources: Iterable[str], new_records: Iterable[DataFrame], progress: DataFrame
) -> dict[str, set[int]]:
    """Days since 1970 by source, and under "" the consumer's last now in microseconds: all in one Spark job."""
    mine = progress.where(F.col("consumer") == CONSUMER)
    frames = [
        mine.agg(F.unix_micros(F.max("as_of")).alias("value")).select(F.lit("").alias("source"), "value")
    ]
    for source, records in zip(sources, new_records, strict=True):
        day = F.unix_date(F.to_date("published_at")).cast("bigint").alias("value")
        frames.append(records.select(F.lit(source).alias("source"), day).distinct())
    found: dict[str, set[int]] = defaultdict(set)
    for row in reduce(DataFrame.unionByName, frames).where("value IS NOT NULL").collect():
        found[row["source"]].add(row["value"])
    return dict(found)


def _days_since(last_now: set[int], as_of: datetime) -> set[date]:
    """Days on which entities came due since the last run without any record telling so."""
    for micros in last_now:
        last = EPOCH + timedelta(microseconds=micros)
        if last < as_of:
            return days_between(last.date(), as_of.date())
    return set()


def _day(number: int) -> date:
    return EPOCH.date() + timedelta(days=number)
