"""The values that the bundle is made of: ``conf/base/bundle.yml``."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class BundleError(ValueError):
    """No bundle can be made or shown; the message names what is wrong and the way out."""


def reference(name: str) -> str:
    """What the bundle puts a value in for, e.g. ``${var.node_type}``."""
    return "${" + name + "}"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cloud(_Frozen):
    """All in which the clouds may differ.

    Attributes:
        hosts: Address of the workspace by target.
        node_type: Machines of a cluster.
        storage_root: Where schemas and landing files are stored.
        secret_backend: ``backend_type`` of the secret scope, and what it needs.
        variables: Further variables, as of :class:`Values`.
    """

    hosts: Mapping[str, str]
    node_type: str
    storage_root: str
    secret_backend: Mapping[str, Any]
    variables: Mapping[str, str] = {}


class Target(_Frozen):
    """An environment's deployment.

    Attributes:
        root_path: Workspace folder of a shared target; None: it is personal, and lies in the person's own.
        paused: Whether schedules, triggers and the alert rest.
    """

    root_path: str | None = None
    paused: bool = True

    @property
    def pause_status(self) -> str:
        """As the platform says it."""
        return "PAUSED" if self.paused else "UNPAUSED"


class Limits(_Frozen):
    """How long a task may take, and how often it is tried again."""

    timeout_seconds: int = Field(gt=0)
    max_retries: int = Field(ge=0)
    min_retry_interval_millis: int = Field(ge=0)
    retry_on_timeout: bool


class Arrivals(_Frozen):
    """Start when files arrive; see the platform's file-arrival trigger."""

    url: str
    min_time_between_triggers_seconds: int = Field(ge=60)
    wait_after_last_change_seconds: int = Field(ge=60)


# Parameter of the job that may mend what it writes.
MEND = "mend"


class Job(_Frozen):
    """What every job says.

    Attributes:
        description: In one sentence.
        parameters: Defaults by name.
        slow_after_seconds: A run that takes longer is told of.
    """

    description: str
    parameters: Mapping[str, str] = {}
    slow_after_seconds: int = Field(gt=0)


class PipelineJob(Job):
    """A job of pipelines: what it runs, and when; its parameters are those that differ from all such jobs'.

    Attributes:
        pipelines: Registered pipelines, which become its tasks.
        then: Job that its last task runs.
        mends: Pipeline whose task first does what the parameter ``mend`` asks for, see ``cli.layers.mend``.
        starts: Job by the pipeline that starts it through the jobs API; its number is given as ``<job>_job_id``.
        arrivals: Starts it when files arrive.
        cron: Starts it by the clock (Quartz, UTC).
        max_retries: How often a task of it is tried again; None: as often as any.
    """

    pipelines: tuple[str, ...] = Field(min_length=1)
    then: str | None = None
    mends: str | None = None
    starts: Mapping[str, str] = {}
    arrivals: Arrivals | None = None
    cron: str | None = None
    max_retries: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _has_one_start(self) -> "PipelineJob":
        if self.arrivals is not None and self.cron is not None:
            raise ValueError("a job starts by arrivals or by cron: the platform takes one of them")
        if self.mends is not None and (self.mends not in self.pipelines or MEND not in self.parameters):
            raise ValueError(f"mends: must be one of the job's pipelines, and {MEND} one of its parameters")
        return self


class CommandJob(Job):
    """A job of one command, which a person starts; its parameters are the command's options.

    Attributes:
        command: Of the wheel's entry.
    """

    command: str


class Volume(_Frozen):
    """A volume: external ones lie where other systems can write."""

    external: bool
    comment: str


class NoRunAlert(_Frozen):
    """Tells when the newest moment in a table is too old.

    Attributes:
        table: ``<schema>.<table>``.
        column: Timestamp of it.
        hours: The oldest that the newest may be.
        cron: When it is looked at (Quartz, UTC).
    """

    table: str
    column: str
    hours: int = Field(gt=0)
    cron: str


class Cluster(_Frozen):
    """Job clusters, where compute is not serverless."""

    spark_version: str
    num_workers: int = Field(ge=0)
    data_security_mode: str


class Values(_Frozen):
    """All values of the bundle.

    Attributes:
        name: Of the bundle.
        package: Of the wheel.
        entry_point: Console script of the wheel.
        compute: Where tasks run.
        environment_version: Of serverless compute.
        cluster: Of the other.
        clouds: By name.
        variables: Description of each variable that a deployment is given.
        targets: By environment.
        parameters: Defaults of every pipeline job's parameters; all of them go to every task.
        task: Limits of every task.
        jobs: By name.
        volumes: By ``<schema>.<volume>``.
        experiment: Workspace path of the MLflow experiment.
        no_run_alert: Tells that no run came.
    """

    name: str
    package: str
    entry_point: str
    compute: Literal["serverless", "cluster"]
    environment_version: str
    cluster: Cluster
    clouds: Mapping[str, Cloud]
    variables: Mapping[str, str]
    targets: Mapping[str, Target]
    parameters: Mapping[str, str]
    task: Limits
    jobs: Mapping[str, PipelineJob | CommandJob]
    volumes: Mapping[str, Volume]
    experiment: str
    no_run_alert: NoRunAlert

    @property
    def pipeline_jobs(self) -> dict[str, PipelineJob]:
        """The jobs of pipelines, by name."""
        return {name: job for name, job in self.jobs.items() if isinstance(job, PipelineJob)}

    @model_validator(mode="after")
    def _names_what_exists(self) -> "Values":
        jobs = self.pipeline_jobs.values()
        named = {job.then for job in jobs if job.then is not None}
        named |= {started for job in jobs for started in job.starts.values()}
        odd = sorted(named - set(self.pipeline_jobs))
        if odd:
            raise ValueError(f"jobs {odd}: are run or started by others, and are no jobs of pipelines")
        for name, cloud in self.clouds.items():
            if set(cloud.hosts) != set(self.targets):
                raise ValueError(f"clouds.{name}.hosts: must name the targets, {', '.join(self.targets)}")
        return self
