"""The promotion ledger as a Kedro dataset: a handle, since a promotion writes rows before and after it acts."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.lakehouse.on_driver import to_spark
from lakehouse_ml.ledger import Entry, Ledger, LedgerConflictError, LedgerError

_MOMENTS = ("as_of", "recorded_at")


class DeltaLedger(Ledger):
    """``ops.promotion_ledger`` as a Delta table that takes rows and keeps them.

    Args:
        table: The table, however it is named in the catalog.
    """

    def __init__(self, table: DeltaTable) -> None:
        self.table = table

    def entries(self) -> list[Entry]:
        """All rows; none before the first promotion."""
        if not self.table.exists():
            return []
        rows = self.table.load()
        # Collected timestamps are in the machine's time zone; microseconds are not.
        moments = {name: F.unix_micros(name) for name in _MOMENTS}
        return [_entry(row.asDict()) for row in rows.withColumns(moments).collect()]

    def append(self, entry: Entry, after: Entry | None) -> Entry:
        """See :meth:`Ledger.append`: an insert-only merge on the sequence, read back."""
        placed = entry.chained(after, datetime.now(UTC))
        try:
            self.table.merge_new(self._frame(placed))
        except Exception as error:
            # Delta's word for a conflict differs by session; that the place is taken tells it anywhere.
            self._check_place(placed, error)
            raise
        self._check_place(placed, None)
        return placed

    def _check_place(self, placed: Entry, error: Exception | None) -> None:
        found = [entry for entry in self.entries() if entry.sequence == placed.sequence]
        if not found and error is None:
            raise LedgerError(
                f"Row {placed.sequence} of ops.promotion_ledger ({placed.event}, {placed.decision}) was written and is "
                f"not there when it is read back: the alias was not moved. Look at the table, and run this again."
            )
        if found and found[0].row_hash != placed.row_hash:
            raise LedgerConflictError(
                f"Row {placed.sequence} of ops.promotion_ledger was written by {found[0].actor} at the same time "
                f"({found[0].event}, {found[0].decision}): nothing was done here. Look at it, and run this again."
            ) from error

    def _frame(self, entry: Entry) -> DataFrame:
        values = asdict(entry) | {"input_versions": dict(entry.input_versions)}
        return to_spark(get_spark(), [values], self.table.contract)


def _entry(row: Mapping[str, Any]) -> Entry:
    read = {name: datetime.fromtimestamp(row[name] / 1e6, UTC) for name in _MOMENTS}
    versions = tuple(sorted(row["input_versions"].items()))
    shaped = {**row, **read, "reasons": tuple(row["reasons"]), "input_versions": versions}
    return Entry(**{field.name: shaped[field.name] for field in fields(Entry)})


class PromotionLedger(AbstractDataset[NoReturn, Ledger]):
    """The environment's promotion ledger.

    Example:
        ``promotion_ledger: {type: lakehouse_ml.datasets.PromotionLedger, catalog: dev, root: data/lakehouse,
        contracts: app.CONTRACTS}``

    Args:
        **address: As of :class:`DeltaTable`: catalog, root, contracts, platform.
    """

    def __init__(self, *, metadata: dict[str, Any] | None = None, **address: Any) -> None:
        self.ledger = DeltaLedger(
            DeltaTable(schema="ops", table="promotion_ledger", mode="insert", **address)
        )
        self.metadata = metadata

    def load(self) -> Ledger:
        """The ledger; not read yet."""
        return self.ledger

    def save(self, data: NoReturn) -> None:
        """Refused: rows are appended one by one."""
        raise DatasetError("ops.promotion_ledger takes rows from promotions only")

    def _exists(self) -> bool:
        return self.ledger.table.exists()

    def _describe(self) -> dict[str, Any]:
        return {"table": self.ledger.table.table}
