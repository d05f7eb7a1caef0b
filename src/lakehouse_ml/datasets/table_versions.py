"""Which Delta version every table is at: what a model, an evaluation or a prediction says it was made from."""

from importlib import import_module
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from lakehouse_ml.datasets.lakehouse import Lakehouse


class TableVersions(AbstractDataset[NoReturn, dict[str, int]]):
    """Newest Delta version by ``<schema>.<table>``, of the tables that exist.

    Example:
        ``table_versions: {type: lakehouse_ml.datasets.TableVersions, catalog: dev, root: data/lakehouse,
        contracts: lakehouse_ml.flights.CONTRACTS, schemas: [bronze, silver, gold]}``

    Args:
        catalog: The environment's catalog.
        root: Folder of the catalogs.
        contracts: Dotted path of the mapping of contracts by table.
        schemas: Layers that are looked at.
        platform: See :class:`Lakehouse`.
    """

    def __init__(
        self,
        *,
        catalog: str,
        root: str,
        contracts: str,
        schemas: list[str],
        platform: str = "local",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.lakehouse = Lakehouse(catalog, root, platform)
        self.contracts = contracts
        self.schemas = tuple(schemas)
        self.metadata = metadata

    def load(self) -> dict[str, int]:
        """Version by table; a table that was never written is absent."""
        module, attribute = self.contracts.rsplit(".", 1)
        tables = sorted(getattr(import_module(module), attribute))
        return self.lakehouse.versions(
            tuple(table for table in tables if table.split(".", 1)[0] in self.schemas)
        )

    def save(self, data: NoReturn) -> None:
        """Refused: versions are counted by Delta."""
        raise DatasetError("Table versions cannot be saved: each write of a table raises its own")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"catalog": self.lakehouse.catalog, "schemas": self.schemas}
