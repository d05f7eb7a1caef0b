"""The bundle's jobs, as the jobs API takes them."""

from collections.abc import Mapping
from typing import Any

from lakehouse_ml.deploy.graph import Pipelines, dependencies
from lakehouse_ml.deploy.values import MEND, CommandJob, PipelineJob, Values, reference

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
    own = _of_command(values, job) if isinstance(job, CommandJob) else _of_pipelines(values, job, pipelines)
    return {
        "name": f"{values.name} {name}",
        "description": job.description,
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        **own,
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


def _of_pipelines(values: Values, job: PipelineJob, pipelines: Pipelines) -> Resource:
    tasks = [_pipeline_task(values, job, task, pipelines) for task in job.pipelines]
    if job.then is not None:
        tasks.append(_job_task(values, job, job.then))
    return {
        **_start(job),
        "parameters": _parameters({**values.parameters, **job.parameters}),
        "tasks": tasks,
    }


def _of_command(values: Values, job: CommandJob) -> Resource:
    # One argument each: a text may look like an option, and what is empty stays in its place.
    options = [f"--{name}={_parameter(name)}" for name in job.parameters]
    task = {
        "task_key": job.command,
        **_wheel_task(values, [job.command, *_where(values), *options]),
        # A person asked once: a roll-back that is tried again goes back one champion more.
        "max_retries": 0,
    }
    return {"parameters": _parameters(job.parameters), "tasks": [task]}


def _start(job: PipelineJob) -> Resource:
    """Without a status of its own: the target's preset counts only where the job says nothing."""
    if job.arrivals is not None:
        return {"trigger": {"file_arrival": job.arrivals.model_dump()}}
    if job.cron is not None:
        return {"schedule": {"quartz_cron_expression": job.cron, "timezone_id": "UTC"}}
    return {}


def _parameters(defaults: Mapping[str, str]) -> list[Resource]:
    return [{"name": name, "default": default} for name, default in defaults.items()]


def _parameter(name: str) -> str:
    return "{{job.parameters." + name + "}}"


def _given(values: Values) -> dict[str, str]:
    """What a task hands on, by name: the job's parameters."""
    return {name: _parameter(name) for name in values.parameters}


def _pipeline_task(values: Values, job: PipelineJob, task: str, pipelines: Pipelines) -> Resource:
    given = _given(values)
    if task in job.starts:
        given[f"{job.starts[task]}_job_id"] = _number(job.starts[task])
    mend = [f"--{MEND}={_parameter(MEND)}"] if task == job.mends else []
    return {
        "task_key": task,
        **_depends_on(pipelines, job, task),
        **_wheel_task(values, [*_where(values), *mend, "--pipelines", task, "--params", _params(given)]),
        **({} if job.max_retries is None else {"max_retries": job.max_retries}),
    }


def _wheel_task(values: Values, arguments: list[str]) -> Resource:
    """What a task calls, where, and within which limits."""
    return {
        "python_wheel_task": {
            "package_name": values.package,
            "entry_point": values.entry_point,
            "parameters": arguments,
        },
        **_place(values),
        **values.task.model_dump(),
    }


def _where(values: Values) -> list[str]:
    conf = CONF % values.package
    return ["--conf-source", conf, "--env", "${bundle.target}", "--platform", "${var.platform}"]


def _params(given: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in given.items())


def _job_task(values: Values, job: PipelineJob, other: str) -> Resource:
    """Another job as the last task, with the parameters of this one, so that both belong together."""
    return {
        "task_key": other,
        "depends_on": [{"task_key": task} for task in job.pipelines],
        "run_job_task": {"job_id": _number(other), "job_parameters": _given(values)},
    }


def _number(job: str) -> str:
    return reference(f"resources.jobs.{job}.id")


def _depends_on(pipelines: Pipelines, job: PipelineJob, task: str) -> Resource:
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
