from types import SimpleNamespace
from typing import Any

import mlflow
import pytest

from lakehouse_ml.hooks import JobRunHooks
from registry_builders import Stores

UNTRACKED = ["daily", "ingestion", "inference"]


@pytest.fixture
def context(stores: Stores) -> SimpleNamespace:
    mlflow.set_tracking_uri(stores.tracking_uri)
    mlflow.create_experiment("jobs")
    run = SimpleNamespace(id=None, name=None)
    tracking = SimpleNamespace(
        run=run,
        experiment=SimpleNamespace(name="jobs"),
        disable_tracking=SimpleNamespace(pipelines=UNTRACKED),
    )
    return SimpleNamespace(mlflow=SimpleNamespace(tracking=tracking))


def task(context: SimpleNamespace, pipeline: str, **params: Any) -> str | None:
    """Id of the MLflow run that kedro-mlflow is told to go on with in a process of its own."""
    context.mlflow.tracking.run.id = None
    hooks = JobRunHooks()
    hooks.after_context_created(context)
    hooks.before_pipeline_run({"pipeline_names": [pipeline], "runtime_params": params})
    return context.mlflow.tracking.run.id


def test_tasks_and_repairs_of_a_job_run_share_one_mlflow_run_and_other_runs_have_their_own(context) -> None:
    first = task(context, "training", job_run_id=550315892394120)
    with mlflow.start_run(run_id=first):
        pass
    assert task(context, "evaluation", job_run_id=550315892394120) == first
    assert task(context, "training", job_run_id="550315892394120") == first
    assert task(context, "training", job_run_id=7) not in (None, first)
    assert len(mlflow.search_runs(experiment_names=["jobs"])) == 2


def test_what_is_not_tracked_or_no_job_makes_no_run(context) -> None:
    assert task(context, "ingestion", job_run_id=5) is None
    assert task(context, "training") is None
    assert len(mlflow.search_runs(experiment_names=["jobs"])) == 0
