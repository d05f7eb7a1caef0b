"""Remember how far the sources are contained in gold."""

from collections.abc import Iterator
from datetime import date

from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.progress import progress_rows
from lakehouse_ml.lakehouse.run import Run

CONSUMER = "feature_engineering"


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
        yield progress_rows(run, progress, CONSUMER, [f"silver.{source}" for source in sources])
