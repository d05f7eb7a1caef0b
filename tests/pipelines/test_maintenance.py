import pytest
from pydantic import ValidationError

from lakehouse_ml.pipelines.maintenance.maintain import MaintenanceParams, plan_maintenance, report_sizes

LEDGER = "ops.promotion_ledger"


def test_every_table_is_kept_and_those_read_by_version_keep_all_their_files():
    versions = {"silver.orders": 3, "bronze.orders": 2, "gold.labels": 1, "ops.runs": 0, LEDGER: 2}
    assert plan_maintenance(versions, MaintenanceParams(retain_hours=168, but_not=(LEDGER,))) == {
        "bronze.orders": None,
        "gold.labels": 168,
        "ops.runs": 168,
        "silver.orders": None,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"retain_hours": 1, "but_not": []},
        {"retain_hours": 168, "but_not": [], "hours": 1},
        {"retain_hours": 168},
    ],
)
def test_parameters_that_would_lose_versions_or_that_nothing_reads_are_refused(wrong):
    with pytest.raises(ValidationError):
        MaintenanceParams(**wrong)


def test_sizes_are_told_the_largest_first():
    sizes = {"a": {"files": 1, "size_bytes": 5}, "b": {"files": 2, "size_bytes": 9}}
    assert [row["table"] for row in report_sizes(sizes)] == ["b", "a"]
