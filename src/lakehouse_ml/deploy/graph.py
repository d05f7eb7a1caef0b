"""Tasks of jobs and the edges between them, from the registered pipelines."""

import re
from collections.abc import Callable, Mapping, Sequence

from kedro.pipeline import Pipeline

from lakehouse_ml.deploy.values import BundleError

# Saved at the end of every run, by a hook that no pipeline shows.
BY_EVERY_RUN = "ops_event_log"
# Datasets that change tables of other jobs, and why that is no harm.
BESIDE_OTHERS = {
    BY_EVERY_RUN: "a run appends rows with ids of their own, in one commit; appends do not conflict",
    "maintained_tables": "upkeep changes no row; of two commits that meet Delta refuses one, whose task is tried again",
}
TASK_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")

Pipelines = Mapping[str, Pipeline]
# Whether a dataset outlives its process, and the tables that saving it changes; what is no table is named as it is.
IsPersisted = Callable[[str], bool]
Writes = Callable[[str], frozenset[str]]


def dependencies(pipelines: Pipelines, tasks: Sequence[str], of: str) -> list[str]:
    """Tasks that write what a pipeline reads, in the order given.

    Args:
        pipelines: By name.
        tasks: Names of pipelines that are tasks of one job.
        of: Name of the pipeline.
    """
    return [task for task in tasks if task != of and handed_over(pipelines, task, of)]


def handed_over(pipelines: Pipelines, task: str, other: str) -> list[str]:
    """Datasets that one pipeline writes and another one reads."""
    return sorted(_plain(pipelines[task].all_outputs()) & _plain(pipelines[other].all_inputs()))


def check_graph(
    pipelines: Pipelines, jobs: Mapping[str, Sequence[str]], is_persisted: IsPersisted, writes: Writes
) -> None:
    """Make sure that every task can be a process of its own, and that no two jobs write one table.

    Args:
        pipelines: The registered ones.
        jobs: Names of pipelines by job.
        is_persisted: Whether a dataset outlives its process.
        writes: Tables that saving a dataset changes.

    Raises:
        BundleError: Naming pipelines that do not exist, keys that the platform refuses, datasets that tasks would
            share in memory, cycles, and tables with two writing jobs.
    """
    _check_keys(pipelines, jobs)
    tasks = sorted({task for job in jobs.values() for task in job})
    for task in tasks:
        for other in tasks:
            _check_hand_over(task, other, handed_over(pipelines, task, other), is_persisted)
    for job, own in jobs.items():
        _check_order(pipelines, job, own)
    stored = {
        job: {*filter(is_persisted, _saved(pipelines, tasks))} - {*BESIDE_OTHERS}
        for job, tasks in jobs.items()
    }
    _check_writers(
        {job: {table for name in names for table in writes(name)} for job, names in stored.items()}
    )


def _check_keys(pipelines: Pipelines, jobs: Mapping[str, Sequence[str]]) -> None:
    for job, tasks in jobs.items():
        unknown = sorted(set(tasks) - set(pipelines))
        if unknown:
            known = ", ".join(sorted(pipelines))
            raise BundleError(f"job {job}: no pipeline {', '.join(unknown)}; registered are {known}")
        odd = [task for task in tasks if not TASK_KEY.fullmatch(task) or tasks.count(task) > 1]
        if odd:
            raise BundleError(
                f"job {job}: task {odd[0]} must stand in it once, with at most 100 letters, digits, _ and -"
            )


def _check_hand_over(task: str, other: str, names: list[str], is_persisted: IsPersisted) -> None:
    lost = [name for name in names if task != other and not is_persisted(name)]
    if lost:
        raise BundleError(
            f"{task} hands {', '.join(lost)} to {other} in memory, and they are processes of their own: give "
            f"{'it' if len(lost) == 1 else 'them'} an entry in the catalog that is stored"
        )


def _check_order(pipelines: Pipelines, job: str, tasks: Sequence[str]) -> None:
    for number, task in enumerate(tasks):
        later = [name for name in dependencies(pipelines, tasks, task) if name in tasks[number:]]
        if later:
            raise BundleError(f"job {job}: {task} reads what {', '.join(later)} writes, and stands before it")


def _saved(pipelines: Pipelines, tasks: Sequence[str]) -> set[str]:
    """Datasets that a job's tasks save."""
    return {name for task in tasks for name in pipelines[task].all_outputs()} | {BY_EVERY_RUN}


def _check_writers(written: Mapping[str, set[str]]) -> None:
    writers: dict[str, str] = {}
    for job, tables in written.items():
        for table in sorted(tables):
            if writers.setdefault(table, job) != job:
                raise BundleError(
                    f"{table}: the jobs {writers[table]} and {job} both write it; one of them may"
                )


def _plain(names: set[str]) -> set[str]:
    """Without the part that tells how a dataset is read, as Kedro orders its nodes."""
    return {name.split("@", 1)[0] for name in names}
