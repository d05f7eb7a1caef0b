"""The bundle's jobs, as the jobs API takes them."""

from collections.abc import Mapping
from typing import Any

from lakehouse_ml.deploy.graph import Pipelines, dependencies
from lakehouse_ml.deploy.values import Job, Values, reference

# Paths start where the file of the resource lies: deploy/<cloud>/resources.
WHEEL = "../../../dist/*.whl"
PINS = "../requirements.txt"
CONF = "${workspace.file_path}/dist/conf-%s.tar.gz"
MAIL = "${var.notification_email}"
KEY = "job"

Resource = dict[str, Any]


def job_resource(values: Values, name: str, pipelines: Pipelines) -> Resource:
    """A job, but for who runs and manages it."""
    job = values.jobs[name]
    tasks = [_pipeline_task(values, job, task, pipelines) for task in job.pipelines]
    if job.then is not None:
        tasks.append(_job_task(values, job, job.then, pipelines))
    return {
        "name": f"{values.name} {name}",
        "description": job.description,
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        **_start(job),
        "parameters": [{"name": key, "default": given} for key, given in _parameters(values, job).items()],
        "tasks": tasks,
        **_compute(values),
        "health": {
            "rules": [
                {"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": job.slow_after_seconds}
            ]
        },
        "email_notifications": {"on_failure": [MAIL], "on_duration_warning_threshold_exceeded": [MAIL]},
        "notification_settings": {"no_alert_for_skipped_runs": True, "no_alert_for_canceled_runs": True},
        "tags": {"project": values.name, "environment": "${bundle.target}", "commit": "${bundle.git.commit}"},
    }


def _start(job: Job) -> Resource:
    """Without a status of its own: the target's preset counts only where the job says nothing."""
    if job.arrivals is not None:
        return {"trigger": {"file_arrival": job.arrivals.model_dump()}}
    if job.cron is not None:
        return {"schedule": {"quartz_cron_expression": job.cron, "timezone_id": "UTC"}}
    return {}


def _parameters(values: Values, job: Job) -> Mapping[str, str]:
    return {**values.parameters, **job.parameters}


def _given(values: Values) -> dict[str, str]:
    """What a task hands on, by name: the job's parameters."""
    return {name: "{{job.parameters." + name + "}}" for name in values.parameters}


def _pipeline_task(values: Values, job: Job, task: str, pipelines: Pipelines) -> Resource:
    given = _given(values)
    if task in job.starts:
        given[f"{job.starts[task]}_job_id"] = _number(job.starts[task])
    return {
        "task_key": task,
        **_depends_on(pipelines, job, task),
        "python_wheel_task": {
            "package_name": values.package,
            "entry_point": values.entry_point,
            "parameters": _arguments(values, task, given),
        },
        **_place(values),
        **values.task.model_dump(),
    }


def _arguments(values: Values, task: str, given: Mapping[str, str]) -> list[str]:
    params = ",".join(f"{name}={value}" for name, value in given.items())
    conf = CONF % values.package
    where = ["--conf-source", conf, "--env", "${bundle.target}", "--platform", "${var.platform}"]
    return [*where, "--pipelines", task, "--params", params]


def _job_task(values: Values, job: Job, other: str, pipelines: Pipelines) -> Resource:
    """Another job as the last task, with the parameters of this one, so that both belong together."""
    return {
        "task_key": other,
        "depends_on": [{"task_key": task} for task in job.pipelines],
        "run_job_task": {"job_id": _number(other), "job_parameters": _given(values)},
    }


def _number(job: str) -> str:
    return reference(f"resources.jobs.{job}.id")


def _depends_on(pipelines: Pipelines, job: Job, task: str) -> Resource:
    found = dependencies(pipelines, job.pipelines, task)
    return {"depends_on": [{"task_key": other} for other in found]} if found else {}


def _place(values: Values) -> Resource:
    if values.compute == "cluster":
        return {"job_cluster_key": KEY, "libraries": [{"requirements": PINS}, {"whl": WHEEL}]}
    # The platform would add tries of its own to ours.
    return {"environment_key": KEY, "disable_auto_optimization": True}


def _compute(values: Values) -> Resource:
    if values.compute == "cluster":
        cluster = {**values.cluster.model_dump(), "node_type_id": "${var.node_type}"}
        return {"job_clusters": [{"job_cluster_key": KEY, "new_cluster": cluster}]}
    spec = {"environment_version": values.environment_version, "dependencies": [f"-r {PINS}", WHEEL]}
    return {"environments": [{"environment_key": KEY, "spec": spec}]}
