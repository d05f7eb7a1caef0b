"""The run's "now" as a Kedro dataset: a row of ``ops.runs``."""

from dataclasses import replace
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from pyspark.sql import functions as F

from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.lakehouse.run import Run, find_run


class RunLog(AbstractDataset[Run, Run]):
    """A row of ``ops.runs``: the newest, or that of the job's run.

    Later tasks and repairs of a job read the same row, so that all of them share one ``as_of``.

    Args:
        run_id: The run's name; None: the newest.
        **address: As of :class:`DeltaTable`: catalog, root, contracts, platform.
    """

    def __init__(
        self, *, run_id: str | int | None = None, metadata: dict[str, Any] | None = None, **address: Any
    ) -> None:
        # A parameter that looks like a number has become one.
        self.run_id = None if run_id is None else str(run_id)
        self.runs = DeltaTable(schema="ops", table="runs", mode="insert", **address)
        self.metadata = metadata
        self._run: Run | None = None

    @property
    def name(self) -> str | None:
        """Name of the run that was opened or read; before that the one given, if any."""
        return self.run_id if self._run is None else self._run.run_id

    def load(self) -> Run:
        """The run.

        Raises:
            DatasetError: It was not opened yet.
        """
        if self._run is None:
            self._run = find_run(self.runs.load(), self.run_id)
        if self._run is None:
            named = "" if self.run_id is None else f" under the name {self.run_id}"
            raise DatasetError(f"No run is open{named}: `kedro run --pipelines ingestion` opens one")
        return self._run

    def save(self, data: Run) -> None:
        """Add the run's row, under its given name if there is one; the wall clock is its only impure column.

        A run that stands there under its name stays what it was: the job is being repaired, and what landed since
        belongs to the next one.
        """
        self._run = self._opened() or self._open(data)

    def _opened(self) -> Run | None:
        named = self.run_id is not None and self.runs._exists()
        return find_run(self.runs.load(), self.run_id) if named else None

    def _open(self, run: Run) -> Run:
        named = run if self.run_id is None else replace(run, run_id=self.run_id)
        row = get_spark().createDataFrame(
            [(named.run_id, named.as_of, named.versions)],
            "run_id string, as_of timestamp, versions map<string,bigint>",
        )
        self.runs.save(row.withColumn("opened_at", F.current_timestamp()))
        return named

    def _exists(self) -> bool:
        return self.runs._exists()

    def _describe(self) -> dict[str, Any]:
        return self.runs._describe()
