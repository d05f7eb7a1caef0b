"""Silver as a run saw it, also where it was built again since."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.datasets import DeltaTable
from lakehouse_ml.trace.entity import TraceError

# Spark's and Delta's names for a file that is not there.
_REMOVED = ("FILE_NOT_EXIST", "FileNotFoundException", "DELTA_FILE_NOT_FOUND")


@dataclass(frozen=True)
class Recorded:
    """What a run saw.

    Attributes:
        silver: Silver tables by name.
        doubts: What can make their rows others than the run's, in words; empty where no table was built again since.
    """

    silver: Mapping[str, DataFrame]
    doubts: tuple[str, ...]


def silver_seen(run_id: str, runs: DataFrame, tables: Mapping[str, DeltaTable]) -> Recorded:
    """Silver as a run saw it: at the versions on record, or what a table built again since has of the same lines.

    Args:
        run_id: The run.
        runs: ``ops_runs``.
        tables: Silver tables by name, each of the source of that name.

    Raises:
        TraceError: The run is not on record.
        DatasetError: A table does not exist, was written by another contract, or has no such version any more.
    """
    row = runs.where(F.col("run_id") == run_id).select("versions", F.unix_micros("opened_at")).first()
    if row is None:
        raise TraceError(f"{run_id}: ops.runs has no row of that run, so what it saw is not on record")
    versions, opened_us = row
    silver, doubts = {}, []
    for name, table in tables.items():
        stored = table.load()
        made = table.lakehouse.created_at(table.table)
        if table.table not in versions:
            silver[name] = stored.limit(0)
        elif made.timestamp() * 1e6 <= opened_us:
            silver[name] = table.load_version(versions[table.table])
        else:
            silver[name] = stored.where(F.col("_bronze_version") <= versions.get(f"bronze.{name}", -1))
            doubts.append(_doubt(table.table, made))
    return Recorded(silver, tuple(doubts))


def _doubt(table: str, made: datetime) -> str:
    return (
        f"{table} was built again on {made:%Y-%m-%d %H:%M} UTC: by another contract, or with lines since taken back "
        f"from quarantine, it can give other rows"
    )


@contextmanager
def read_again(what: str) -> Iterator[None]:
    """Tell in words of data files that are not there any more.

    Args:
        what: What is made of former versions here.

    Raises:
        TraceError: A file of a version that is read was removed.
    """
    try:
        yield
    except Exception as error:
        # Each kind of session has a class of its own for it.
        if not any(name in str(error) for name in _REMOVED):
            raise
        raise TraceError(
            f"{what} cannot be made again: files of a version that it was made from were removed, after the "
            f"`maintenance.retain_hours` of the environment"
        ) from error
