"""Which tables to compact, and how large they are then."""

from pydantic import BaseModel, ConfigDict, Field


class MaintenanceParams(BaseModel):
    """How tables are kept.

    Attributes:
        retain_hours: How long the files of former versions are kept; models and predictions name versions, so
            not shorter than they are traced. Delta refuses less than a week.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    retain_hours: int = Field(ge=168)


def plan_maintenance(table_versions: dict[str, int], params: MaintenanceParams) -> dict[str, int]:
    """Hours that removed files are kept, by table: every table of the environment that exists."""
    return dict.fromkeys(sorted(table_versions), params.retain_hours)


def report_sizes(sizes: dict[str, dict[str, int]]) -> list[dict[str, int | str]]:
    """Files and size in bytes after maintenance, one row per table, the largest first."""
    rows: list[dict[str, int | str]] = [{"table": table, **size} for table, size in sizes.items()]
    return sorted(rows, key=lambda row: row["size_bytes"], reverse=True)
