from pathlib import Path

import pytest
from kedro.io import DatasetError

from lakehouse_ml.datasets.table_versions import TableVersions

CONTRACTS = {"silver.orders": None, "gold.labels": None, "ops.runs": None, "gold.features": None}


def written(root: Path, table: str, version: int) -> None:
    log = root / "dev" / table.replace(".", "/") / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{version:020d}.json").touch()


def versions(root: Path) -> TableVersions:
    return TableVersions(
        catalog="dev", root=str(root), contracts=f"{__name__}.CONTRACTS", schemas=["silver", "gold"]
    )


def test_tells_the_newest_version_of_every_written_table_of_its_layers(tmp_path: Path) -> None:
    for table, version in (("silver.orders", 3), ("gold.labels", 0), ("ops.runs", 5)):
        written(tmp_path, table, version)
    assert versions(tmp_path).load() == {"silver.orders": 3, "gold.labels": 0}


def test_refuses_to_be_saved(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be saved"):
        versions(tmp_path).save({})
