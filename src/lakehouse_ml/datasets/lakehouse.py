"""Where the environment's tables are: the only code that knows whether a table is a folder or a Unity Catalog name."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from lakehouse_ml.datasets.session import get_spark


@dataclass(frozen=True)
class Lakehouse:
    """The tables of one environment.

    Attributes:
        catalog: The environment's catalog.
        root: Folder of the catalogs, where tables are folders.
        platform: ``local``: a table is the folder ``<root>/<catalog>/<schema>/<table>``; ``databricks``: a table is
            ``<catalog>.<schema>.<table>`` in Unity Catalog.
    """

    catalog: str
    root: str
    platform: str = "local"

    def __post_init__(self) -> None:
        if self.platform not in ("local", "databricks"):
            raise ValueError(f"platform: must be local or databricks, is {self.platform!r}")

    @property
    def folder(self) -> Path:
        """The environment's folder, where tables are folders."""
        return Path(self.root).absolute() / self.catalog

    def table(self, table: str) -> str:
        """SQL identifier of ``<schema>.<table>``."""
        if self.platform == "databricks":
            return f"`{self.catalog}`.{table}"
        return f"delta.`{self.path(table)}`"

    def path(self, table: str) -> Path:
        """Folder of ``<schema>.<table>`` where tables are folders."""
        return self.folder / table.replace(".", "/")

    def exists(self, table: str) -> bool:
        """Whether the table was created; a folder that a killed run left without a version is none."""
        if self.platform == "databricks":
            return bool(get_spark().catalog.tableExists(self.table(table)))
        return self._logged_version(table) >= 0

    def version(self, table: str) -> int:
        """Newest Delta version of the table; -1 when it does not exist.

        Locally the log's file names tell, which costs no Spark job.
        """
        if self.platform == "local":
            return self._logged_version(table)
        if not self.exists(table):
            return -1
        history = get_spark().sql(f"DESCRIBE HISTORY {self.table(table)} LIMIT 1")
        return int(history.collect()[0]["version"])

    def created_at(self, table: str) -> datetime:
        """Wall clock at which the table was made, UTC; later than its former versions if it was made again."""
        detail = get_spark().sql(f"DESCRIBE DETAIL {self.table(table)}")
        # Collected timestamps are in the machine's time zone; microseconds are not.
        micros = detail.selectExpr("unix_micros(createdAt)").collect()[0][0]
        return datetime.fromtimestamp(micros / 1e6, UTC)

    def clear_unborn(self, table: str) -> None:
        """Remove the log without a version that a killed creation left: Delta takes it for a table."""
        log = self.path(table) / "_delta_log"
        if self.platform == "local" and log.is_dir() and not self.exists(table):
            shutil.rmtree(log)

    def _logged_version(self, table: str) -> int:
        log = self.path(table) / "_delta_log"
        return max((int(file.stem) for file in log.glob("*.json") if file.stem.isdigit()), default=-1)

    def versions(self, tables: tuple[str, ...]) -> dict[str, int]:
        """Newest Delta version by table, of those that exist."""
        found = {table: self.version(table) for table in tables}
        return {table: version for table, version in found.items() if version >= 0}

    def start_stream(self, writer: DataStreamWriter, table: str) -> StreamingQuery:
        """Start a stream into the table. A folder is no valid target of ``toTable``."""
        if self.platform == "databricks":
            return writer.format("delta").toTable(self.table(table))
        return writer.format("delta").start(str(self.path(table)))
