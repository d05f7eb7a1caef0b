"""Forgetting a layer, so that the next run builds it again from the layer before."""

import shutil
from collections.abc import Iterable
from datetime import datetime

from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.datasets.lakehouse import Lakehouse
from lakehouse_ml.datasets.session import get_spark

# Removed with the layer; gold is derived from either.
_REMOVED: dict[str, tuple[str, ...]] = {"silver": ("silver", "quarantine"), "gold": ()}
_CONSUMERS = {"silver": ("ingestion", "feature_engineering"), "gold": ("feature_engineering",)}

LAYERS = tuple(_REMOVED)


def forget(
    lakehouse: Lakehouse, layer: str, tables: Iterable[DeltaTable], since: datetime | None = None
) -> None:
    """Clear a layer's tables and the progress of the stages that write them; bronze and landing files stay.

    Progress goes first: whatever a killed call leaves, the next run or call builds from the layer before. Silver and
    quarantine are removed, since what reads silver follows it from its first version on. Gold is emptied in place:
    predictions, models and decisions name its versions.

    Args:
        lakehouse: The environment's tables.
        layer: ``silver`` or ``gold``.
        tables: The environment's tables; those of other layers are left alone.
        since: Keep the tables, and forget only what was built by runs whose now is later (UTC).
    """
    _delete(lakehouse, "ops.progress", _progress(layer, since))
    if since is not None:
        return
    if layer == "silver":
        _delete(lakehouse, "ops.ingestion_log", "true")
    for table in tables:
        schema = table.table.split(".", 1)[0]
        if schema == "gold":
            table.begin_anew()
        elif schema in _REMOVED[layer]:
            _drop(lakehouse, table.table)


def _progress(layer: str, since: datetime | None) -> str:
    consumers = ", ".join(f"'{consumer}'" for consumer in _CONSUMERS[layer])
    later = "" if since is None else f" AND as_of > TIMESTAMP '{since.isoformat()}'"
    return f"consumer IN ({consumers}){later}"


def _delete(lakehouse: Lakehouse, table: str, condition: str) -> None:
    if lakehouse.exists(table):
        get_spark().sql(f"DELETE FROM {lakehouse.table(table)} WHERE {condition}")


def _drop(lakehouse: Lakehouse, table: str) -> None:
    if lakehouse.platform == "databricks":
        get_spark().sql(f"DROP TABLE IF EXISTS {lakehouse.table(table)}")
        return
    # Under its own name a table is whole or not there, whenever this is killed.
    path = lakehouse.path(table)
    gone = path.with_name(f"_{path.name}")
    if gone.exists():
        shutil.rmtree(gone)
    if path.exists():
        path.rename(gone)
        shutil.rmtree(gone)
