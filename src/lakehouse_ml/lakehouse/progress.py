"""How far a stage has read its inputs: a Delta version, never a time."""

from collections.abc import Sequence

from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.run import Run


def progress_rows(run: Run, frame: DataFrame, consumer: str, tables: Sequence[str]) -> DataFrame:
    """Rows of ``ops.progress``: the consumer's outputs now contain its inputs up to the run's versions.

    Args:
        run: The run, with the versions that its inputs have.
        frame: Any frame; lends its session.
        consumer: Stage that read.
        tables: ``<schema>.<table>`` that it read. One that no line ever reached does not exist, and has no row.
    """
    known = [table for table in tables if table in run.versions]
    rows = [(consumer, table, run.versions[table], run.as_of) for table in known]
    schema = "consumer string, table string, version bigint, as_of timestamp"
    return frame.sparkSession.createDataFrame(rows, schema).coalesce(1)
