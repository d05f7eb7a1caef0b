"""Tables as they stood when something else read them."""

import json
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from pyspark.sql import DataFrame

from lakehouse_ml.datasets.delta_table import DeltaTable


def recorded_versions(record: Path) -> dict[str, int]:
    """Version by ``<schema>.<table>`` that a JSON record names to be read; none without a record.

    That is ``judged_versions`` for models that were trained in another environment, else ``input_versions``.
    """
    found = json.loads(record.read_text()) if record.is_file() else {"input_versions": {}}
    return dict(found.get("judged_versions") or found["input_versions"])


class RecordedTable(AbstractDataset[NoReturn, DataFrame]):
    """A table at the Delta version that a JSON record names under ``input_versions``.

    Evaluation reads what training read, although a later run may have written the table in between.

    Example:
        ``"recorded_{schema}_{table}": {type: lakehouse_ml.datasets.RecordedTable, record: candidates.json,
        catalog: dev, root: data/lakehouse, schema: "{schema}", table: "{table}", contracts: app.CONTRACTS}``

    Args:
        record: JSON file with ``input_versions``: version by ``<schema>.<table>``.
        **address: As of :class:`DeltaTable`: catalog, root, schema, table, contracts, platform.
    """

    def __init__(self, *, record: str, metadata: dict[str, Any] | None = None, **address: Any) -> None:
        self.record = Path(record)
        self.source = DeltaTable(**address)
        self.metadata = metadata

    def load(self) -> DataFrame:
        """The table at the recorded version.

        Raises:
            DatasetError: There is no record, it does not name the table, or the version was vacuumed away.
            ContractError: The table was written by another contract.
        """
        return self.source.load_version(self._version())

    def _version(self) -> int:
        versions = recorded_versions(self.record)
        if self.source.table not in versions:
            raise DatasetError(
                f"{self.record} names no version of {self.source.table}: run `kedro run --pipelines training` first"
            )
        return versions[self.source.table]

    def save(self, data: NoReturn) -> None:
        """Refused: the past is read."""
        raise DatasetError(f"{self.source.table} at a recorded version cannot be saved")

    def _exists(self) -> bool:
        return self.record.is_file() and self.source._exists()

    def _describe(self) -> dict[str, Any]:
        return {"table": self.source.table, "record": str(self.record)}


class RecordedVersions(AbstractDataset[NoReturn, dict[str, int]]):
    """The Delta versions that a JSON record names under ``input_versions``, instead of the newest ones.

    Example:
        ``table_versions: {type: lakehouse_ml.datasets.RecordedVersions, record: step.json}``

    Args:
        record: JSON file with ``input_versions``: version by ``<schema>.<table>``.
    """

    def __init__(self, *, record: str, metadata: dict[str, Any] | None = None) -> None:
        self.record = Path(record)
        self.metadata = metadata

    def load(self) -> dict[str, int]:
        """Version by table; none without a record."""
        return recorded_versions(self.record)

    def save(self, data: NoReturn) -> None:
        """Refused: the past is read."""
        raise DatasetError(f"{self.record}: recorded versions cannot be saved")

    def _exists(self) -> bool:
        return self.record.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"record": str(self.record)}
