"""Keeping a frame that several jobs read, where the platform can."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame

# Databricks serverless refuses to persist; there the setting is absent and the frame is computed for each job.
_SETTING = "spark.lakehouse_ml.persist"


def persisted(frame: DataFrame) -> DataFrame:
    """The same frame, computed once for all its readers where ``spark.lakehouse_ml.persist`` is true."""
    return frame.persist() if _can_persist(frame) else frame


@contextmanager
def persisted_meanwhile(frame: DataFrame) -> Iterator[DataFrame]:
    """The same frame, computed once for all its readers within the block; see :func:`persisted`."""
    kept = persisted(frame)
    try:
        yield kept
    finally:
        if _can_persist(frame):
            kept.unpersist()


def _can_persist(frame: DataFrame) -> bool:
    return frame.sparkSession.conf.get(_SETTING, "false") == "true"
