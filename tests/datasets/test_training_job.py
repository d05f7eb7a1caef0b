from collections.abc import Iterator

import pytest
from kedro.io import DatasetError

from jobs_api import Workspace, login, served
from lakehouse_ml.datasets import TrainingJob

pytestmark = pytest.mark.slow

KEY = "9" * 64
PARAMETERS = {"run_id": "550315892394120", "as_of": "2013-02-24T00:00:00+00:00"}


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    with served(815) as workspace:
        for name, value in login(workspace).items():
            monkeypatch.setenv(name, value)
        yield workspace


def test_a_request_starts_the_job_with_its_key_as_token(workspace: Workspace) -> None:
    TrainingJob(job_id=815).save({KEY: PARAMETERS})
    assert workspace.asked == [{"job_id": 815, "idempotency_token": KEY, "job_parameters": PARAMETERS}]
    assert workspace.runs == {KEY: 1000}


def test_a_request_that_is_saved_again_starts_nothing_anew(workspace: Workspace) -> None:
    for _ in range(3):
        TrainingJob(job_id=815).save({KEY: PARAMETERS})
    assert len(workspace.asked) == 3
    assert workspace.runs == {KEY: 1000}
    TrainingJob(job_id=815).save({"8" * 64: PARAMETERS})
    assert len(workspace.runs) == 2


def test_nothing_is_asked_where_nothing_is_wanted_or_no_job_is(workspace: Workspace) -> None:
    TrainingJob(job_id=815).save({})
    TrainingJob(job_id=None).save({KEY: PARAMETERS})
    assert workspace.asked == []


def test_a_job_that_cannot_be_started_is_named_and_the_request_stays_open(workspace: Workspace) -> None:
    with pytest.raises(DatasetError) as refused:
        TrainingJob(job_id=816).save({KEY: PARAMETERS})
    assert "job 816 was not started for request 999999999999: Job 816 does not exist." in str(refused.value)
    assert "The request stays open" in str(refused.value)
    assert workspace.runs == {}


def test_a_workspace_that_cannot_be_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(DatasetError, match="job 815 was not started"):
        TrainingJob(job_id=815).save({KEY: PARAMETERS})


def test_a_job_cannot_be_loaded() -> None:
    with pytest.raises(DatasetError, match="cannot be loaded"):
        TrainingJob(job_id=815).load()
