"""Keeping a frame that several jobs read, where the platform can."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame

from lakehouse_ml.platform import platform


def persisted(frame: DataFrame) -> DataFrame:
    """The same frame, computed once for all its readers; on Databricks, where serverless refuses that, for each."""
    return frame.persist() if _can_persist() else frame


@contextmanager
def persisted_meanwhile(frame: DataFrame) -> Iterator[DataFrame]:
    """The same frame, computed once for all its readers within the block; see :func:`persisted`."""
    kept = persisted(frame)
    try:
        yield kept
    finally:
        if _can_persist():
            kept.unpersist()


def _can_persist() -> bool:
    # No setting of Spark can tell: serverless raises on one that it does not know, whatever the default.
    return platform() == "local"
