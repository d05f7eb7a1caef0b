from datetime import UTC, datetime
from pathlib import Path

import pytest
from kedro.io import DatasetError

from lakehouse_ml.datasets import RunLog
from lakehouse_ml.lakehouse.run import Run

JOB = 550315892394120


def run(day: int, run_id: str = "made up") -> Run:
    return Run(run_id, datetime(2013, 1, day, 6, 30, tzinfo=UTC), {"silver.weather": day})


@pytest.fixture
def address(spark, tmp_path: Path) -> dict[str, str]:
    return {"catalog": "test", "root": str(tmp_path), "contracts": "lakehouse_ml.flights.CONTRACTS"}


def test_a_jobs_tasks_and_repairs_share_the_run_that_was_opened_first(address: dict[str, str]) -> None:
    RunLog(**address, run_id=JOB).save(run(1))
    RunLog(**address).save(run(2, "by hand"))
    repaired = RunLog(**address, run_id=str(JOB))
    repaired.save(run(3))
    opened = run(1, str(JOB))
    assert repaired.load() == RunLog(**address, run_id=JOB).load() == opened
    assert RunLog(**address).load() == run(2, "by hand")
    with pytest.raises(DatasetError, match=r"No run is open under the name 816: .* opens one"):
        RunLog(**address, run_id=816).load()
