"""A table of the lakehouse as a Kedro dataset: contract, creation, idempotent writes, changes."""

import json
import threading
from pathlib import Path
from typing import Any, Literal

from kedro.io import AbstractDataset, DatasetError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.datasets.contracts import contract_of
from lakehouse_ml.datasets.lakehouse import Lakehouse
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.datasets.table_definition import FINGERPRINT, RULES, definition, listed
from lakehouse_ml.lakehouse.contract import Column, Contract, ContractError
from lakehouse_ml.lakehouse.overlap import overlapping
from lakehouse_ml.lakehouse.persisted import persisted_meanwhile

Mode = Literal["read", "append", "insert", "replace"]

# Nodes side by side meet a table together, and only one of them may alter it.
_ALTERING = threading.Lock()
# What builds a layer again.
REFRESH = {"silver": "silver", "quarantine": "silver", "gold": "gold"}


class DeltaTable(AbstractDataset[DataFrame, DataFrame]):
    """One Delta table, addressed by catalog, schema and table in every environment.

    Example:
        ``"silver_{table}": {type: lakehouse_ml.datasets.DeltaTable, catalog: dev, root: data/lakehouse, schema: silver,
        table: "{table}", contracts: lakehouse_ml.flights.CONTRACTS, mode: insert}``

    Args:
        catalog: The environment's catalog.
        root: Folder of the catalogs.
        schema: Layer.
        table: Name within the layer.
        contracts: Dotted path of the mapping of contracts by table.
        mode: How ``save`` writes. ``insert`` adds the rows that are not there yet; ``replace`` takes the place of
            the days of the frame (partitions of the contract's ``day``); ``append`` adds all, exactly once for a
            stream; ``read`` refuses.
        missing: What ``load`` does when the table does not exist: ``error``, or ``empty`` for former state.
        checkpoints: Folder of the checkpoints, for a table that a stream is saved to.
        platform: See :class:`Lakehouse`.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, one line each in the catalog
        self,
        *,
        catalog: str,
        root: str,
        schema: str,
        table: str,
        contracts: str,
        mode: Mode = "read",
        missing: Literal["error", "empty"] = "error",
        checkpoints: str | None = None,
        platform: str = "local",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.lakehouse = Lakehouse(catalog, root, platform)
        self.table = f"{schema}.{table}"
        self.checkpoints = checkpoints
        self.contracts = contracts
        self.mode = mode
        self.missing = missing
        self.metadata = metadata
        self._rebuilt_with = REFRESH.get(schema)
        self._is_checked = False
        self._lacking: tuple[Column, ...] = ()

    @property
    def contract(self) -> Contract:
        """What the table promises."""
        return contract_of(self.contracts, self.table)

    @property
    def identifier(self) -> str:
        """SQL identifier of the table."""
        return self.lakehouse.table(self.table)

    def load(self) -> DataFrame:
        """The table as it stands.

        Raises:
            DatasetError: It does not exist and ``missing`` is ``error``.
            ContractError: It was written by another contract.
        """
        spark = get_spark()
        if self._exists():
            self._check_stored_contract()
            lacking = [F.lit(None).cast(column.type).alias(column.name) for column in self._lacking]
            return spark.read.table(self.identifier).select("*", *lacking)
        if self.missing == "empty":
            return spark.createDataFrame([], ", ".join(f"`{c.name}` {c.type}" for c in self.contract.columns))
        raise DatasetError(
            f"Table {self.lakehouse.catalog}.{self.table} does not exist: run the pipeline that writes it first "
            f"(`kedro run` runs all in order)."
        )

    def load_version(self, version: int) -> DataFrame:
        """The table as it stood at a Delta version; its files may have been removed since.

        Raises:
            DatasetError: The table does not exist, was written by another contract, or has no such version.
        """
        self.load()
        try:
            return get_spark().sql(f"SELECT * FROM {self.identifier} VERSION AS OF {version}")
        except AnalysisException as error:
            raise DatasetError(
                f"Table {self.lakehouse.catalog}.{self.table} cannot be read at version {version}, which was made "
                f"again or removed since: {str(error).splitlines()[0]}"
            ) from error

    def save(self, data: DataFrame) -> None:
        """Write the frame, see ``mode``. Columns may stand in any order; the table's order is kept.

        Raises:
            ContractError: The frame or the stored table does not keep the contract.
        """
        self.contract.check_columns(dict(data.dtypes))
        self._create()
        frame = data.select(*self.contract.names)
        if frame.isStreaming:
            self._append_stream(frame)
        elif self.mode == "append":
            self._append(frame)
        elif self.mode == "insert":
            self._insert(frame)
        elif self.mode == "replace":
            self._replace_days(frame)
        else:
            raise DatasetError(
                f"{self.table} is read-only under this name: save through {self.table.replace('.', '_')}"
            )

    def merge_new(self, frame: DataFrame) -> None:
        """Insert the rows whose key the table does not hold, in one transaction that fails beside another's.

        Raises:
            ContractError: The frame or the stored table does not keep the contract.
        """
        self.contract.check_columns(dict(frame.dtypes))
        self._create()
        frame.select(*self.contract.names).createOrReplaceTempView("new_rows")
        same = " AND ".join(f"stored.`{name}` = new_rows.`{name}`" for name in self.contract.row_key)
        get_spark().sql(
            f"MERGE INTO {self.identifier} stored USING new_rows ON {same} WHEN NOT MATCHED THEN INSERT *"
        )

    def begin_anew(self) -> None:
        """Empty the table and give it the code's contract; a table that does not exist stays so.

        Versions go on counting and former ones stay readable, also those of another contract.
        """
        if self._exists():
            get_spark().sql(f"REPLACE TABLE {self.identifier} {self._definition}")
            self._is_checked = True

    def _append(self, frame: DataFrame) -> None:
        frame.writeTo(self.identifier).append()

    def _append_stream(self, frame: DataFrame) -> None:
        if self.checkpoints is None:
            raise DatasetError(f"{self.table} takes no stream: name the folder of its checkpoints")
        checkpoint = Path(self.checkpoints).absolute() / self.table.replace(".", "/")
        writer = frame.writeStream.trigger(availableNow=True).option("checkpointLocation", str(checkpoint))
        self.lakehouse.start_stream(writer, self.table).awaitTermination()

    def _insert(self, frame: DataFrame) -> None:
        # Read for its range of days, and again to be written.
        with persisted_meanwhile(frame) as rows:
            missing = self._by_day(rows) if self._is_empty() else self._missing(rows)
            if missing is not None:
                self._append(missing)

    def _is_empty(self) -> bool:
        """Whether the table was just made, or begun anew, which befalls gold alone: to look costs a Spark job."""
        if self.lakehouse.version(self.table) == 0:
            return True
        return self._rebuilt_with == "gold" and get_spark().read.table(self.identifier).isEmpty()

    def _by_day(self, rows: DataFrame) -> DataFrame:
        """In files that each hold a stretch of days, so that later scans skip most; later inserts are short anyway."""
        day = self.contract.day
        return rows if day is None else rows.repartitionByRange(F.col(day))

    def _missing(self, rows: DataFrame) -> DataFrame | None:
        """The rows whose key the table does not hold; None when there are no rows at all."""
        key = list(self.contract.row_key)
        stored = overlapping(get_spark().read.table(self.identifier), rows, self.contract.day)
        return None if stored is None else rows.join(stored.select(*key), key, "left_anti")

    def _replace_days(self, frame: DataFrame) -> None:
        # Each day in one task: a task writes a file of its own for every day that it has rows of.
        frame.repartition(F.col(str(self.contract.day))).writeTo(self.identifier).overwritePartitions()

    def _create(self) -> None:
        if self._exists():
            self._check_stored_contract()
            return
        self.lakehouse.clear_unborn(self.table)
        get_spark().sql(f"CREATE TABLE IF NOT EXISTS {self.identifier} {self._definition}")
        self._is_checked = True

    @property
    def _definition(self) -> str:
        return definition(self.contract, partitioned=self.mode == "replace")

    def _check_stored_contract(self) -> None:
        if not self._is_checked:
            with _ALTERING:
                self._keep_contract()

    def _keep_contract(self) -> None:
        if self._is_checked:
            return
        rows = get_spark().sql(f"SHOW TBLPROPERTIES {self.identifier}").collect()
        stored = {row["key"]: row["value"] for row in rows}
        if stored.get(FINGERPRINT) != self.contract.fingerprint:
            self._take_new_columns(stored.get(FINGERPRINT, ""))
        if self.mode != "read":
            self._sync_checks(json.loads(stored.get(RULES, "{}")))
        self._is_checked = True

    def _take_new_columns(self, fingerprint: str) -> None:
        """Give the table the columns that its contract got since; a read-only name only shows them, empty.

        Raises:
            ContractError: More changed than new columns that may be null, or the layer can be built again with them.
        """
        types = dict(get_spark().read.table(self.identifier).dtypes)
        if self._rebuilt_with or not self.contract.grew_from(types, fingerprint):
            raise ContractError(
                f"Table {self.lakehouse.catalog}.{self.table} was written by another contract than the code's: "
                f"{self._way_out}."
            )
        lacking = tuple(column for column in self.contract.columns if column.name not in types)
        if self.mode == "read":
            self._lacking = lacking
            return
        # None is left to add where a call was killed before it noted what it had done.
        if lacking:
            added = ", ".join(column.ddl for column in lacking)
            get_spark().sql(f"ALTER TABLE {self.identifier} ADD COLUMNS ({added})")
        self._note({FINGERPRINT: self.contract.fingerprint})

    @property
    def _way_out(self) -> str:
        if self._rebuilt_with is not None:
            return f"build it again with `kedro refresh --layer {self._rebuilt_with}`"
        return (
            "nothing builds it again and only new columns that may be null are added to it, so take its contract back, "
            "or move the table away to begin it anew (docs/runbook.md, A table's contract changed)"
        )

    def _sync_checks(self, stored: dict[str, str]) -> None:
        """Make the CHECK constraints those of the contract; killed in between, the next call begins again.

        Args:
            stored: Rules by name, as they were when the constraints were last made.

        Raises:
            ContractError: A stored row breaks a new rule.
        """
        wanted, spark = self.contract.checks, get_spark()
        if stored == wanted:
            return
        for name in (name for name in stored | wanted if stored.get(name) != wanted.get(name)):
            spark.sql(f"ALTER TABLE {self.identifier} DROP CONSTRAINT IF EXISTS `{name}`")
            if name in wanted:
                self._add_check(name, wanted[name])
        self._note({RULES: json.dumps(wanted)})

    def _note(self, properties: dict[str, str]) -> None:
        get_spark().sql(f"ALTER TABLE {self.identifier} SET TBLPROPERTIES ({listed(properties)})")

    def _add_check(self, name: str, sql: str) -> None:
        try:
            get_spark().sql(f"ALTER TABLE {self.identifier} ADD CONSTRAINT `{name}` CHECK ({sql})")
        except AnalysisException as error:
            raise ContractError(
                f"{self.lakehouse.catalog}.{self.table}: the rule {name} ({sql}) is new, and does not hold for the "
                f"stored rows: {self._way_out}"
            ) from error

    def _exists(self) -> bool:
        return self.lakehouse.exists(self.table)

    def _describe(self) -> dict[str, Any]:
        return {"table": f"{self.lakehouse.catalog}.{self.table}", "mode": self.mode}
