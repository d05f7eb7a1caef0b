"""Compaction and clean-up of tables as a Kedro dataset."""

from typing import Any

from kedro.io import AbstractDataset

from lakehouse_ml.datasets.lakehouse import Lakehouse
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.datasets.table_definition import PROPERTIES

FILES_KEPT = "delta.deletedFileRetentionDuration"
LOG_KEPT = "delta.logRetentionDuration"
FOR_EVER = PROPERTIES[FILES_KEPT]


class TableMaintenance(AbstractDataset[dict[str, int | None], dict[str, dict[str, int]]]):
    """Saving compacts tables and removes files that no kept version needs; loading tells the tables' sizes.

    Each table bears how long removed files are kept, so that nothing else removes them earlier.

    Args:
        catalog: The environment's catalog.
        root: Folder of the catalogs.
        platform: See :class:`Lakehouse`.
    """

    def __init__(
        self, *, catalog: str, root: str, platform: str = "local", metadata: dict[str, Any] | None = None
    ) -> None:
        self.lakehouse = Lakehouse(catalog, root, platform)
        self.metadata = metadata
        self._tables: tuple[str, ...] = ()

    def save(self, data: dict[str, int | None]) -> None:
        """Compact and clean.

        Args:
            data: Hours that removed files are kept, by ``<schema>.<table>``; None: for ever.
        """
        spark = get_spark()
        for table, hours in data.items():
            self._keep_files(table, FOR_EVER if hours is None else f"interval {hours} hours")
            spark.sql(f"OPTIMIZE {self.lakehouse.table(table)}")
            if hours is not None:
                spark.sql(f"VACUUM {self.lakehouse.table(table)} RETAIN {hours} HOURS")
        self._tables = tuple(data)

    def _keep_files(self, table: str, kept: str) -> None:
        spark, name = get_spark(), self.lakehouse.table(table)
        stored = {row["key"]: row["value"] for row in spark.sql(f"SHOW TBLPROPERTIES {name}").collect()}
        if stored.get(FILES_KEPT) != kept:
            # Together: Delta compares the two as they are given, and takes 30 days for what is not.
            both = f"'{FILES_KEPT}' = '{kept}', '{LOG_KEPT}' = '{PROPERTIES[LOG_KEPT]}'"
            spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({both})")

    def load(self) -> dict[str, dict[str, int]]:
        """``files`` and ``size_bytes`` by table, of those that were saved."""
        return {table: self._size(table) for table in self._tables}

    def _size(self, table: str) -> dict[str, int]:
        detail = get_spark().sql(f"DESCRIBE DETAIL {self.lakehouse.table(table)}").collect()[0]
        return {"files": detail["numFiles"], "size_bytes": detail["sizeInBytes"]}

    def _describe(self) -> dict[str, Any]:
        return {"catalog": self.lakehouse.catalog}
