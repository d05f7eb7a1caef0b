"""Remember how far the sources are contained in gold."""

from collections.abc import Iterator
from datetime import date

from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.run import Run

CONSUMER = "feature_engineering"
SCHEMA = "consumer string, table string, version bigint, as_of timestamp"


def mark_progress(
    sources: tuple[str, ...],
    affected_days: list[date],
    run: Run,
    progress: DataFrame,
    features: DataFrame,
    labels: DataFrame,
) -> Iterator[DataFrame]:
    """One row per source: its version is contained in gold. Nothing when nothing was built.

    Args:
        sources: Silver tables that the stage reads.
        affected_days: Days that were built.
        run: Tells versions and now.
        progress: ``ops.progress``; gives the session.
        features: ``gold.features``, so that progress follows it.
        labels: ``gold.labels``, so that progress follows it.
    """
    if affected_days:
        tables = [f"silver.{source}" for source in sources]
        rows = [(CONSUMER, table, run.versions[table], run.as_of) for table in tables]
        yield progress.sparkSession.createDataFrame(rows, SCHEMA)
