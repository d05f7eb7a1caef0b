"""What a table gained since its consumer last finished."""

from functools import lru_cache
from typing import Any, Literal, NoReturn

from kedro.io import AbstractDataset, DatasetError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.datasets.session import get_spark


class DeltaChanges(AbstractDataset[NoReturn, DataFrame]):
    """Rows inserted into a table after the version that ``ops.progress`` holds for a consumer.

    The frame has the table's columns and ``_commit_version`` (bigint), the Delta version that brought the row.

    Args:
        consumer: Stage that reads.
        schema: Layer.
        table: Name within the layer.
        missing: What ``load`` does when the table does not exist: ``error``, or ``empty`` where nothing may have come.
        **address: As of :class:`DeltaTable`: catalog, root, contracts, platform.
    """

    def __init__(
        self,
        *,
        consumer: str,
        schema: str,
        table: str,
        missing: Literal["error", "empty"] = "error",
        metadata: dict[str, Any] | None = None,
        **address: Any,
    ) -> None:
        self.consumer = consumer
        self.source = DeltaTable(schema=schema, table=table, missing=missing, **address)
        self.progress = DeltaTable(schema="ops", table="progress", missing="empty", **address)
        self.metadata = metadata

    def load(self) -> DataFrame:
        """The new rows.

        Raises:
            DatasetError: The table does not exist, or shrank below the version already read.
        """
        rows = self.source.load()
        first, last = self._done() + 1, self.source.lakehouse.version(self.source.table)
        if first > last + 1:
            raise DatasetError(
                f"{self.source.table} is at version {last}, but {self.consumer} has read version {first - 1}: the "
                f"table was made again; run `kedro refresh --layer silver`."
            )
        if first > last:
            # Delta raises on a start beyond the newest version.
            return rows.limit(0).withColumn("_commit_version", F.lit(None).cast("bigint"))
        feed = (
            get_spark()
            .read.option("readChangeFeed", "true")
            .option("startingVersion", first)
            .option("endingVersion", last)
            .table(self.source.identifier)
        )
        inserted = feed.where(F.col("_change_type") == "insert")
        return inserted.select(*self.source.contract.names, "_commit_version")

    def _done(self) -> int:
        version = self.progress.lakehouse.version(self.progress.table)
        marks = {} if version < 0 else _marks(self.progress.identifier, version)
        return marks.get((self.consumer, self.source.table), -1)

    def save(self, data: NoReturn) -> None:
        """Refused: changes are read."""
        raise DatasetError(f"Changes of {self.source.table} cannot be saved")

    def _exists(self) -> bool:
        return self.source._exists()

    def _describe(self) -> dict[str, Any]:
        return {"table": self.source.table, "consumer": self.consumer}


@lru_cache(maxsize=1)
def _marks(progress: str, version: int) -> dict[tuple[str, str], int]:
    """Version read by consumer and table, as of a version of ``ops.progress``: all tables of a stage ask for it."""
    rows = get_spark().sql(
        f"SELECT consumer, table, max(version) FROM {progress} VERSION AS OF {version} GROUP BY consumer, table"
    )
    return {(consumer, table): last for consumer, table, last in rows.collect()}
