"""Which tables to compact, and how large they are then."""

from pydantic import BaseModel, ConfigDict, Field

# A layer that is built again reads all versions of the one before it, so their files are never removed.
_READ_BY_VERSION = ("bronze.", "silver.")


class MaintenanceParams(BaseModel):
    """How tables are kept.

    Attributes:
        retain_hours: How long the files of former versions are kept; models and predictions name versions, so
            not shorter than they are traced. Delta refuses less than a week.
        but_not: Tables that are left alone, since whoever keeps tables may not write them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    retain_hours: int = Field(ge=168)
    but_not: tuple[str, ...]


def plan_maintenance(table_versions: dict[str, int], params: MaintenanceParams) -> dict[str, int | None]:
    """Hours that removed files are kept, None for ever, by table: every table that exists and is not left alone."""
    return {
        table: None if table.startswith(_READ_BY_VERSION) else params.retain_hours
        for table in sorted(table_versions.keys() - {*params.but_not})
    }


def report_sizes(sizes: dict[str, dict[str, int]]) -> list[dict[str, int | str]]:
    """Files and size in bytes after maintenance, one row per table, the largest first."""
    rows: list[dict[str, int | str]] = [{"table": table, **size} for table, size in sizes.items()]
    return sorted(rows, key=lambda row: row["size_bytes"], reverse=True)
