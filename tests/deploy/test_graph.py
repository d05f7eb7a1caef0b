"""Tasks and edges of jobs, on small pipelines and on the registered ones."""

import pytest
from kedro.pipeline import Node, Pipeline

from lakehouse_ml.deploy.graph import BESIDE_OTHERS, check_graph, dependencies, handed_over
from lakehouse_ml.deploy.values import BundleError


def same(*values: object) -> object:
    return values


def stage(name: str, reads: list[str], *writes: str) -> Pipeline:
    return Pipeline([Node(same, reads, list(writes), name=name)])


PIPELINES = {
    "land": stage("land", ["files"], "bronze@lines", "run"),
    "clean": stage("clean", ["bronze@new", "run"], "silver"),
    "count": stage("count", ["silver", "run", "before_silver"], "report"),
    "other": stage("other", ["files"], "silver"),
    "again": stage("again", ["files"], "clean_rows"),
    "upkeep": stage("upkeep", ["files"], "maintained_tables"),
}
TABLES = {"silver": "silver.rows", "clean_rows": "silver.rows", "maintained_tables": "silver.rows"}


def table(name: str) -> frozenset[str]:
    """What a name stands for, as the catalog tells."""
    return frozenset({TABLES.get(name, name)})


def check(jobs: dict[str, list[str]], *in_memory: str) -> None:
    check_graph(PIPELINES, jobs, lambda name: name not in in_memory, table)


def test_a_task_depends_on_those_that_write_what_it_reads_however_it_is_read() -> None:
    tasks = ["land", "clean", "count"]
    assert [dependencies(PIPELINES, tasks, task) for task in tasks] == [[], ["land"], ["land", "clean"]]
    assert handed_over(PIPELINES, "land", "clean") == ["bronze", "run"]


def test_a_graph_of_stored_datasets_passes() -> None:
    check({"daily": ["land", "clean", "count"]})


@pytest.mark.parametrize("jobs", [{"daily": ["land", "clean"]}, {"daily": ["land"], "nightly": ["clean"]}])
def test_tasks_that_share_a_dataset_in_memory_are_refused_by_its_name(jobs: dict[str, list[str]]) -> None:
    with pytest.raises(BundleError) as refused:
        check(jobs, "run")
    assert str(refused.value) == (
        "land hands run to clean in memory, and they are processes of their own: give it an entry in the catalog that "
        "is stored"
    )


def test_what_a_task_keeps_to_itself_may_live_in_memory() -> None:
    check({"daily": ["land", "clean"]}, "silver", "files")


def test_a_table_that_two_jobs_write_is_refused_by_its_name() -> None:
    with pytest.raises(BundleError, match=r"silver\.rows: the jobs daily and nightly both write it"):
        check({"daily": ["land", "clean"], "nightly": ["other"]})


def test_two_names_of_one_table_are_one_table() -> None:
    with pytest.raises(BundleError, match=r"silver\.rows: the jobs daily and nightly both write it"):
        check({"daily": ["land", "clean"], "nightly": ["again"]})


def test_upkeep_and_the_log_of_every_run_stand_beside_the_writers_for_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = {"daily": ["land", "clean"], "weekly": ["upkeep"]}
    check(jobs)
    for name, told in (("maintained_tables", "silver.rows"), ("ops_event_log", "ops_event_log")):
        others = {key: reason for key, reason in BESIDE_OTHERS.items() if key != name}
        monkeypatch.setattr("lakehouse_ml.deploy.graph.BESIDE_OTHERS", others)
        with pytest.raises(BundleError, match=f"{told}: the jobs daily and weekly both write it"):
            check(jobs)


def test_a_task_before_what_it_waits_for_is_refused() -> None:
    with pytest.raises(BundleError, match="job daily: clean reads what land writes, and stands before it"):
        check({"daily": ["clean", "land"]})


def test_a_pipeline_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(
        BundleError, match="no pipeline cleen; registered are again, clean, count, land, other, upkeep"
    ):
        check({"daily": ["land", "cleen"]})


@pytest.mark.parametrize("key", ["", "a" * 101, "späte", "a b", "a.b"])
def test_keys_that_the_platform_refuses_are_refused(key: str) -> None:
    with pytest.raises(BundleError, match="at most 100 letters"):
        check_graph({key: PIPELINES["land"]}, {"daily": [key]}, lambda _: True, table)


def test_a_task_stands_in_a_job_once() -> None:
    with pytest.raises(BundleError, match="task land must stand in it once"):
        check({"daily": ["land", "land"]})
