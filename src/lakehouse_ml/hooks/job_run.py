"""All tasks of a job's run log to one MLflow run."""

from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from mlflow import MlflowClient

TAG = "job_run_id"


class JobRunHooks:
    """Each task is a process of its own, and so is its repair: they find the run by its tag."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context, which kedro-mlflow keeps its settings in."""
        self._context = context

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Name the job's MLflow run before kedro-mlflow starts one; stages that are not tracked have none."""
        job_run = (run_params.get("runtime_params") or {}).get(TAG)
        tracking = self._context.mlflow.tracking  # type: ignore[attr-defined]
        stages = set(run_params.get("pipeline_names") or ["__default__"])
        if job_run is None or stages <= set(tracking.disable_tracking.pipelines):
            return
        tracking.run.id = mlflow_run_of(str(job_run), tracking.experiment.name)
        tracking.run.name = f"job run {job_run}"


def mlflow_run_of(job_run: str, experiment: str) -> str:
    """Id of the MLflow run of a job's run, which is made with its tag at once: a killed task leaves no other behind."""
    client = MlflowClient()
    known = client.get_experiment_by_name(experiment).experiment_id
    found = client.search_runs([known], f"tags.{TAG} = '{job_run}'", max_results=1)
    run = found[0] if found else client.create_run(known, tags={TAG: job_run})
    return str(run.info.run_id)
