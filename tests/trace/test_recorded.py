"""What a run saw, from silver that is as it was, and from silver that was built again."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kedro.io import DatasetError
from pyspark.sql import DataFrame, SparkSession

import toy
from lakehouse_ml.datasets import DeltaTable
from lakehouse_ml.datasets.refresh import forget
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.trace.entity import TraceError
from lakehouse_ml.trace.recorded import read_again, silver_seen
from lakehouse_ml.trace.skew import Batch, late_files

Runs = Callable[..., DataFrame]


@pytest.fixture
def visits(spark: SparkSession, tmp_path: Path) -> DeltaTable:
    address = {"catalog": "test", "root": str(tmp_path), "contracts": "toy.CONTRACTS"}
    return DeltaTable(**address, schema="silver", table="visits", mode="insert")


@pytest.fixture
def runs(spark: SparkSession) -> Runs:
    """``ops.runs`` with the one run ``run-1``, opened now."""

    def make(**versions: int) -> DataFrame:
        named = {f"{layer}.visits": version for layer, version in versions.items()}
        row = ("run-1", datetime.now(UTC), named)
        return spark.createDataFrame([row], "run_id string, opened_at timestamp, versions map<string,bigint>")

    return make


def add(visits: DeltaTable, *numbers: int, bronze: int, file: str = "f") -> None:
    """Visits that a version of bronze brought."""
    rows = ", ".join(
        f"({n}, 'north', 1, TIMESTAMP'2024-01-01', 'r{n}', '{file}', {n}, {bronze}L)" for n in numbers
    )
    names = "visit, shop, pages, published_at, _revision, _file, _line_no, _bronze_version"
    visits.save(get_spark().sql(f"SELECT * FROM VALUES {rows} AS ({names})"))


def seen(visits: DeltaTable, runs: DataFrame) -> tuple[list[int], tuple[str, ...]]:
    found = silver_seen("run-1", runs, {"visits": visits})
    return sorted(row["visit"] for row in found.silver["visits"].collect()), found.doubts


def test_a_table_that_was_not_built_again_is_read_at_the_version_on_record(
    visits: DeltaTable, runs: Runs
) -> None:
    add(visits, 1, 2, bronze=0)
    log = runs(bronze=0, silver=1)
    # Taken back from quarantine: a line of that bronze, which the run did not have.
    add(visits, 3, bronze=0)
    add(visits, 4, bronze=1)
    assert seen(visits, log) == ([1, 2], ())


def test_of_a_table_built_again_the_lines_that_the_run_had_are_taken_and_the_doubt_is_told(
    visits: DeltaTable, runs: Runs
) -> None:
    add(visits, 1, bronze=0)
    add(visits, 2, bronze=1)
    log = runs(bronze=1, silver=2)
    forget(visits.lakehouse, "silver", [visits])
    add(visits, 1, 2, 3, bronze=1)
    add(visits, 4, bronze=2)
    numbers, (doubt,) = seen(visits, log)
    assert numbers == [1, 2, 3]
    assert doubt.startswith("silver.visits was built again on 2")
    assert "with lines since taken back from quarantine" in doubt
    # Runs from then on have versions of the new table.
    assert seen(visits, runs(bronze=1, silver=1)) == ([1, 2, 3], ())


def test_a_table_that_the_run_did_not_have_is_empty(visits: DeltaTable, runs: Runs) -> None:
    add(visits, 1, bronze=0)
    assert seen(visits, runs()) == ([], ())


def test_a_version_that_does_not_exist_and_a_run_that_is_not_on_record_are_named(
    visits: DeltaTable, runs: Runs
) -> None:
    add(visits, 1, bronze=0)
    with pytest.raises(DatasetError, match=r"Table test\.silver\.visits cannot be read at version 9"):
        seen(visits, runs(bronze=0, silver=9))
    with pytest.raises(TraceError, match=r"run-2: ops\.runs has no row of that run"):
        silver_seen("run-2", runs(), {"visits": visits})


def test_files_that_were_removed_are_told_of_in_words_and_other_errors_stay_what_they_are(
    visits: DeltaTable,
) -> None:
    add(visits, 1, bronze=0)
    for file in visits.lakehouse.path("silver.visits").glob("*.parquet"):
        file.unlink()
    with (
        pytest.raises(TraceError, match="run-1 cannot be made again: files of a version"),
        read_again("run-1"),
    ):
        visits.load_version(1).toPandas()
    with pytest.raises(ZeroDivisionError), read_again("run-1"):
        raise ZeroDivisionError


def test_a_line_taken_back_from_quarantine_came_after_the_batch_however_early_it_landed(
    visits: DeltaTable, runs: Runs
) -> None:
    add(visits, 1, bronze=0)
    log = runs(bronze=0, silver=1)
    add(visits, 2, bronze=0, file="visits/held_back.jsonl.gz")
    served = Batch(Run("run-1", toy.START, {}), 7, "1", "d", (toy.START.date(),))
    silver = {"visits": visits.load(), "sales": visits.load().limit(0)}
    seen = {**silver, **silver_seen("run-1", log, {"visits": visits}).silver}
    assert late_files(served, toy.USE_CASE, silver, seen) == ("visits/held_back.jsonl.gz",)
