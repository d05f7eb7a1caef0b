"""The run's "now" as a Kedro dataset: a row of ``ops.runs``."""

from datetime import UTC, datetime
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from pyspark.sql import functions as F

from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.lakehouse.run import Run


class RunLog(AbstractDataset[Run, Run]):
    """The newest row of ``ops.runs``.

    Later tasks and repairs of a job read the same row, so that all of them share one ``as_of``.

    Args:
        **address: As of :class:`DeltaTable`: catalog, root, contracts, platform.
    """

    def __init__(self, *, metadata: dict[str, Any] | None = None, **address: Any) -> None:
        self.runs = DeltaTable(schema="ops", table="runs", mode="insert", **address)
        self.metadata = metadata
        self._run: Run | None = None

    def load(self) -> Run:
        """The newest run.

        Raises:
            DatasetError: No run was opened yet.
        """
        if self._run is None:
            newest = (
                self.runs.load()
                .orderBy(F.desc("as_of"), F.desc("opened_at"))
                .select("run_id", F.unix_micros("as_of").alias("as_of"), "versions")
                .limit(1)
                .collect()
            )
            if not newest:
                raise DatasetError("No run is open: `kedro run --pipelines ingestion` opens one")
            row = newest[0]
            # Collected timestamps are in the machine's time zone; microseconds are not.
            as_of = datetime.fromtimestamp(row["as_of"] / 1e6, UTC)
            self._run = Run(row["run_id"], as_of, dict(row["versions"]))
        return self._run

    def save(self, data: Run) -> None:
        """Add the run's row; the wall clock is its only impure column."""
        row = get_spark().createDataFrame(
            [(data.run_id, data.as_of, data.versions)],
            "run_id string, as_of timestamp, versions map<string,bigint>",
        )
        self.runs.save(row.withColumn("opened_at", F.current_timestamp()))
        self._run = data

    def _exists(self) -> bool:
        return self.runs._exists()

    def _describe(self) -> dict[str, Any]:
        return self.runs._describe()
